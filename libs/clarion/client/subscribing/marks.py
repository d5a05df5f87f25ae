"""Keeps marks (read, unread, archive) until the server's `sync` confirms them, and says what to send again. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from clarion.contracts.api.frames import Archive, Read, Unread
from clarion.contracts.ids import canonical
from clarion.contracts.limits import IDS_PER_FRAME
from clarion.contracts.records.receipts import Op

MARKS: Final = 1_000  # kept at most; as many as in the browser's SDK

Mark = Read | Unread | Archive

_CONFIRMS: Final[Mapping[Op, type[Mark]]] = {
    Op.READ: Read,
    Op.UNREAD: Unread,
    Op.ARCHIVED: Archive,
    Op.UNARCHIVED: Archive,
}
_GONE: Final = frozenset({Op.RETRACTED, Op.EXPIRED})  # what is gone needs no mark any more, sent or not


@dataclass(slots=True)
class _Kept:
    kind: type[Mark]
    id: str
    is_sent: bool = False


class Marks:
    """The marks that wait for their confirmation.

    A later `read` or `unread` replaces an earlier one of the same notification. `archive` is kept beside these.
    """

    def __init__(self, most: int = MARKS) -> None:
        self._most = most
        self._kept: dict[tuple[bool, str], _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, kind: type[Mark], ids: Iterable[str]) -> bool:
        """Keep a mark for each id, and return True; or keep none and return False when there is no room for all."""
        new = {(kind is Archive, id_): _Kept(kind, id_) for id_ in canonical(list(ids))}  # as `sync` confirms them
        if len(self._kept.keys() | new.keys()) > self._most:
            return False
        for key in new:
            self._kept.pop(key, None)  # so that the mark moves to the end
        self._kept |= new
        return True

    def next_frame(self) -> Mark | None:
        """Return the next frame to send, with all marks of its kind that fit, or None. They count as sent from now."""
        due: list[_Kept] = []
        for mark in self._kept.values():
            if mark.is_sent or (due and mark.kind is not due[0].kind):
                continue
            mark.is_sent = True
            due.append(mark)
            if len(due) == IDS_PER_FRAME:
                break
        return due[0].kind([mark.id for mark in due]) if due else None

    def unsent(self) -> None:
        """Count all marks as not sent, so that they are sent again.

        That is harmless as marks are idempotent, and it brings the `sync` that was missed.
        """
        for mark in self._kept.values():
            mark.is_sent = False

    def confirmed(self, change: Op, ids: Iterable[str]) -> bool:
        """Forget the marks that a `sync` confirms; return whether there were any."""
        before = len(self._kept)
        for id_ in ids:
            for key in ((False, id_), (True, id_)):
                mark = self._kept.get(key)
                # a mark that is not sent yet is later than the change that `sync` tells
                if mark and (change in _GONE or (mark.is_sent and _CONFIRMS.get(change) is mark.kind)):
                    del self._kept[key]
        return len(self._kept) < before
