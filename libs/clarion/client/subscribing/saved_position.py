"""How far a subscriber got, between its memory and the application's storage."""

import logging
import time
from typing import Final

import msgspec

from clarion.client.subscribing.cursor_store import CursorStore, Position, sound

log = logging.getLogger(__name__)

SAVE_EVERY_S: Final = 1.0


class SavedPosition:
    """Writes only what has changed, and no more often than once a second, except at the end."""

    def __init__(self, storage: CursorStore) -> None:
        self._storage = storage
        self._saved = Position()
        self._saved_at = 0.0

    async def load(self) -> Position:
        """As far as it is sound; what a storage of the application's own has may be of any age."""
        loaded = await self._storage.load()
        position, dropped = sound(msgspec.to_builtins(loaded))
        if dropped:
            log.warning("the stored position is damaged and is used without %s", ", ".join(dropped))
            await self._storage.save(position)
        self._saved = position
        return position

    async def save_now_and_then(self, position: Position) -> None:
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            await self.save(position)

    async def save(self, position: Position) -> None:
        if position != self._saved:
            await self._storage.save(position)
            self._saved = position
        self._saved_at = time.monotonic()
