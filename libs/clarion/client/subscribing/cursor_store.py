"""Where a subscriber keeps its position, so that the next process resumes there. A store belongs to one user."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from clarion.contracts.api.frames import Since
from clarion.contracts.lanes import Lane
from clarion.contracts.order import JsonOrder

log = logging.getLogger(__name__)


class Position(msgspec.Struct, frozen=True):
    """How far a subscriber has handled each lane.

    `since` is the moment up to which the client has missed nothing, as the server said it. `user` and `deployment` say
    whose position this is: for others it does not count.
    """

    cursors: dict[Lane, JsonOrder] = {}
    since: str | None = None
    user: str | None = None
    deployment: str | None = None


class CursorStore(Protocol):
    """Keeps the position of one user's subscriber between processes: `JsonFile`, or a store of your own.

    What `load` and `save` raise comes out of the subscriber.
    """

    async def load(self) -> Position:
        """Return the position that was saved last, or an empty one, `Position()` of this module, if there is none."""
        ...

    async def save(self, position: Position) -> None:
        """Keep a position. Called at most once a second while items are handled, and at the end.

        Losing the latest position is harmless: what came after an earlier one arrives again.
        """
        ...


class InMemory:
    """A `CursorStore` that lasts as long as its process: a subscriber's default."""

    def __init__(self) -> None:
        self._position = Position()

    async def load(self) -> Position:
        """Return the position that was saved last, or an empty one."""
        return self._position

    async def save(self, position: Position) -> None:
        """Keep a position in memory."""
        self._position = position


class JsonFile:
    """A `CursorStore` in a file, which is replaced as a whole: a crash leaves the old position or the new one.

    The file belongs to one user. Its folder must exist.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    async def load(self) -> Position:
        """Return the position in the file, or an empty one if there is no file.

        What is damaged in it is left out, with a warning in the log, and removed from the file. Raise OSError.
        """
        try:
            text = await asyncio.to_thread(self._path.read_bytes)
        except FileNotFoundError:
            return Position()
        position, dropped = sound(_parsed(text))
        if dropped:
            log.warning(
                "the position in %s was damaged, and these parts of it are left out: %s", self._path, ", ".join(dropped)
            )
            await self.save(position)
        return position

    async def save(self, position: Position) -> None:
        """Replace the file. Raise OSError."""
        await asyncio.to_thread(self._replace, msgspec.json.encode(position))

    def _replace(self, text: bytes) -> None:
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        new.write_bytes(text)
        new.replace(self._path)


def sound(found: object) -> tuple[Position, list[str]]:
    """Return what of a loaded document can be a position, and the names of the rest.

    A gateway that cannot read a position in `resume` closes each connection with 4400.
    """
    if not isinstance(found, dict):
        return Position(), ["all parts"]
    stored = cast("dict[str, Any]", found)
    cursors: dict[Lane, JsonOrder] = {}
    dropped: list[str] = []
    for lane, ord_ in _items(stored.get("cursors", {}), dropped):
        try:
            cursors[Lane(lane)] = msgspec.convert(ord_, JsonOrder)
        except ValueError:
            dropped.append(f"the cursor of {lane[:20]}")
    try:
        since = msgspec.convert(stored.get("since"), Since | None)
    except ValueError:
        since = None
        dropped.append("since")
    user, deployment = stored.get("user"), stored.get("deployment")
    if not (
        isinstance(user, str | None) and isinstance(deployment, str | None) and (user is None) == (deployment is None)
    ):
        return Position(), ["all parts, since its user or deployment cannot be read"]
    return Position(cursors, since, user, deployment), dropped


def _items(cursors: object, dropped: list[str]) -> list[tuple[str, object]]:
    if isinstance(cursors, dict):
        return list(cast("dict[str, object]", cursors).items())
    dropped.append("cursors")
    return []


def _parsed(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
