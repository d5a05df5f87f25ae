"""A MongoDB that answers at once: the operators that the driven queries and updates use, and no others.

So the model runs the store's own functions, with their own queries. A document is replaced, never changed, so copies of
a collection may share it.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar, cast

from pymongo import DeleteOne, UpdateMany, UpdateOne
from pymongo.errors import DuplicateKeyError

from clarion.store.driver import database
from tests.model.world.world import Part

T = TypeVar("T")
Document = dict[str, Any]

_MISSING: Final = object()


def answered(call: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        call.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


@dataclass(slots=True)
class Collection(Part):
    """`told`: the fields that tell one state of the world from another."""

    told: tuple[str, ...]
    documents: dict[Hashable, Document] = field(default_factory=dict[Hashable, Document])

    def copy(self) -> Self:
        return type(self)(self.told, dict(self.documents))

    def key(self) -> Hashable:
        rows = (
            (key, *(_hashable(document.get(name)) for name in self.told)) for key, document in self.documents.items()
        )
        return tuple(sorted(rows, key=repr))

    @property
    def driver(self) -> database.Collection:
        """As the store's functions want it."""
        return cast("database.Collection", self)

    # ---- what the store's functions call

    async def insert_one(self, document: Document) -> None:
        if not self.insert(document):
            raise DuplicateKeyError("E11000")

    async def bulk_write(self, writes: Sequence[UpdateOne | UpdateMany | DeleteOne], ordered: bool) -> None:
        for write in writes:
            found = self._found(write._filter)
            if isinstance(write, DeleteOne):
                for document in found[:1]:
                    del self.documents[_hashable(document["_id"])]
                continue
            for document in found if isinstance(write, UpdateMany) else found[:1]:
                self._put(_updated(document, write._doc))
            if not found and write._upsert:
                self.insert(_updated(dict(write._filter), write._doc, inserting=True))

    async def find_one_and_update(self, query: Document, change: Document, return_document: bool) -> Document | None:
        for document in self._found(query)[:1]:
            changed = _updated(document, change)
            self._put(changed)
            return changed
        return None

    async def update_one(self, query: Document, change: Document) -> None:
        for document in self._found(query)[:1]:
            self._put(_updated(document, change))

    async def delete_many(self, query: Document) -> "_Deleted":
        found = self._found(query)
        for document in found:
            del self.documents[_hashable(document["_id"])]
        return _Deleted(len(found))

    def find(self, query: Document, projection: object = None) -> "_Cursor":
        return _Cursor(self._found(query))

    async def distinct(self, name: str, query: Document) -> list[Any]:
        return sorted({document[name] for document in self._found(query)})

    def aggregate(self, pipeline: list[Document]) -> "_Cursor":
        """Of a match and a group with a maximum."""
        match, group = pipeline[0]["$match"], pipeline[1]["$group"]
        ((name, maximum),) = [(key, value["$max"][1:]) for key, value in group.items() if key != "_id"]
        found: dict[Hashable, Document] = {}
        for document in self._found(match):
            key = {one: document[field[1:]] for one, field in group["_id"].items() if field[1:] in document}
            best = found.setdefault(_hashable(key), {"_id": key, name: None})
            best[name] = max((v for v in (best[name], document.get(maximum)) if v is not None), default=None)
        return _Cursor(list(found.values()))

    # ---- what the model calls

    def without(self, condition: Callable[[Document], bool]) -> Self:
        documents = {key: document for key, document in self.documents.items() if not condition(document)}
        return type(self)(self.told, documents)

    def insert(self, document: Document) -> bool:
        """False when its `_id` is there."""
        if _hashable(document["_id"]) in self.documents:
            return False
        self._put(document)
        return True

    def _put(self, document: Document) -> None:
        self.documents[_hashable(document["_id"])] = document

    def _found(self, query: Mapping[str, Any]) -> list[Document]:
        return [document for document in self.documents.values() if _matches(document, query)]


@dataclass(slots=True)
class _Deleted:
    deleted_count: int


@dataclass(slots=True)
class _Cursor:
    documents: list[Document]

    def sort(self, name: str, _: int) -> Self:
        self.documents.sort(key=lambda document: document[name])
        return self

    def limit(self, count: int) -> Self:
        del self.documents[count:]
        return self

    def batch_size(self, _: int) -> Self:
        return self

    async def to_list(self, _: None) -> list[Document]:
        return self.documents

    async def __aiter__(self) -> AsyncIterator[Document]:
        for document in self.documents:
            yield document


def _hashable(key: Any) -> Hashable:
    if isinstance(key, list):
        return tuple(cast("list[Any]", key))
    return tuple(cast("Document", key).values()) if isinstance(key, dict) else key


def _matches(document: Document, query: Mapping[str, Any]) -> bool:
    return all(_holds(document, name, wanted) for name, wanted in query.items())


def _holds(document: Document, name: str, wanted: Any) -> bool:
    if name == "$or":
        return any(_matches(document, one) for one in wanted)
    return _compares(document.get(name, _MISSING), wanted)


def _compares(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        operators = cast("dict[str, Any]", wanted)
        if all(name.startswith("$") for name in operators):
            return all(_OPERATORS[name](value, operand) for name, operand in operators.items())
    return value == wanted


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, operand: value is not _MISSING and compare(value, operand)


_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "$in": lambda value, operand: any(one in operand for one in _candidates(value)),
    "$exists": lambda value, operand: (value is not _MISSING) == operand,
    "$ne": lambda value, operand: value != operand,
    "$not": lambda value, operand: not _compares(value, operand),
    "$gt": _ordered(lambda value, operand: value > operand),
    "$gte": _ordered(lambda value, operand: value >= operand),
    "$lt": _ordered(lambda value, operand: value < operand),
    "$lte": _ordered(lambda value, operand: value <= operand),
}


def _updated(document: Mapping[str, Any], change: Any, *, inserting: bool = False) -> Document:
    """By an update document, or by a pipeline."""
    after = dict(document)
    for name, operand in _stages(change):
        match name:
            case "$set":
                after |= operand
            case "$setOnInsert":
                after |= operand if inserting else {}
            case "$max":
                after |= {key: max(value, after.get(key, value)) for key, value in operand.items()}
            case "$min":
                after |= {key: min(value, after.get(key, value)) for key, value in operand.items()}
            case "$addToSet":
                added = {key: value["$each"] for key, value in operand.items()}
                after |= {key: [*dict.fromkeys([*after.get(key, []), *more])] for key, more in added.items()}
            case "$inc":
                after |= {key: after.get(key, 0) + value for key, value in operand.items()}
            case "$unset":
                for gone in [operand] if isinstance(operand, str) else operand:  # as a stage, or as an update
                    after.pop(gone, None)
            case "$replaceWith":
                after = _merged(after, operand.get("$mergeObjects", [operand]))
            case _:
                raise AssertionError(f"the model's MongoDB knows no {name}")
    return after


def _stages(change: Any) -> Iterable[tuple[str, Any]]:
    stages = cast("list[Document]", change if isinstance(change, list) else [change])
    return [operation for stage in stages for operation in stage.items()]


def _merged(root: Document, parts: Iterable[Any]) -> Document:
    merged: Document = {}
    for part in parts:
        merged |= root if part == "$$ROOT" else part.get("$literal") or _evaluated(part, root)
    return merged


def _evaluated(part: Document, root: Document) -> Document:
    return {name: root[of[1:]] if isinstance(of, str) and of[:1] == "$" else of for name, of in part.items()}


def _candidates(value: Any) -> list[Any]:
    """What `$in` compares: of an array its elements, and null where there is nothing."""
    return cast("list[Any]", value) if isinstance(value, list) else [None if value is _MISSING else value]
