"""Where a subscriber keeps how far it got, so that the next process goes on from there. One store a user."""

import asyncio
import os
from pathlib import Path
from typing import Protocol

import msgspec

from clarion.contracts.deliveries import JsonOrder
from clarion.contracts.lanes import Lane


class Position(msgspec.Struct, frozen=True):
    """How far each lane is handled, and the `since` kept with it."""

    cursors: dict[Lane, JsonOrder] = {}
    since: str | None = None


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
        """Raises msgspec.DecodeError when the file holds something else."""
        try:
            text = await asyncio.to_thread(self._path.read_bytes)
        except FileNotFoundError:
            return Position()
        return msgspec.json.decode(text, type=Position)

    async def save(self, position: Position) -> None:
        await asyncio.to_thread(self._replace, msgspec.json.encode(position))

    def _replace(self, text: bytes) -> None:
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        new.write_bytes(text)
        new.replace(self._path)
