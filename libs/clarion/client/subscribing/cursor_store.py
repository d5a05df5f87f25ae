"""Where a subscriber keeps how far it got, so that the next process goes on from there. One store a user."""

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
    """How far each lane is handled, the `since` kept with it, and whose it is: of that user of that deployment."""

    cursors: dict[Lane, JsonOrder] = {}
    since: str | None = None
    user: str | None = None
    deployment: str | None = None


class CursorStore(Protocol):
    async def load(self) -> Position: ...

    async def save(self, position: Position) -> None:
        """An old position is harmless: what came after it arrives again."""
        ...


class InMemory:
    def __init__(self) -> None:
        self._position = Position()

    async def load(self) -> Position:
        return self._position

    async def save(self, position: Position) -> None:
        self._position = position


class JsonFile:
    """A file that is replaced as a whole: after a crash it holds the old position or the new one, never half."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    async def load(self) -> Position:
        """What is damaged is dropped, said, and gone from the file, too: the next one finds it mended."""
        try:
            text = await asyncio.to_thread(self._path.read_bytes)
        except FileNotFoundError:
            return Position()
        position, dropped = sound(_parsed(text))
        if dropped:
            log.warning("the position in %s was damaged and is mended, without %s", self._path, ", ".join(dropped))
            await self.save(position)
        return position

    async def save(self, position: Position) -> None:
        await asyncio.to_thread(self._replace, msgspec.json.encode(position))

    def _replace(self, text: bytes) -> None:
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        new.write_bytes(text)
        new.replace(self._path)


def sound(found: object) -> tuple[Position, list[str]]:
    """What of it can be a position, and the names of the rest.

    A gateway that cannot read a position ends the connection for good, each time.
    """
    if not isinstance(found, dict):
        return Position(), ["all of it"]
    stored = cast("dict[str, Any]", found)
    cursors: dict[Lane, JsonOrder] = {}
    dropped: list[str] = []
    for lane, place in _items(stored.get("cursors", {}), dropped):
        try:
            cursors[Lane(lane)] = msgspec.convert(place, JsonOrder)
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
        return Position(), ["all of it: whose it is cannot be read"]
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
