"""Moves a subscriber's position between its memory and the application's storage."""

import logging
import time
from typing import Final

import msgspec

from clarion.client.subscribing.cursor_store import CursorStore, Position, sound

log = logging.getLogger(__name__)

SAVE_EVERY_S: Final = 1.0


class SavedPosition:
    """A position in a `CursorStore`. Written only if it has changed, and at most once a second except at the end."""

    def __init__(self, storage: CursorStore) -> None:
        self._storage = storage
        self._saved = Position()
        self._saved_at = 0.0

    async def load(self) -> Position:
        """Return the stored position without what is damaged, which is then removed from the storage.

        The application's own storage may hold what an SDK of any version has written.
        """
        loaded = await self._storage.load()
        position, dropped = sound(msgspec.to_builtins(loaded))
        if dropped:
            log.warning("the stored position was damaged, and these parts of it are left out: %s", ", ".join(dropped))
            await self._storage.save(position)
        self._saved = position
        return position

    async def save_now_and_then(self, position: Position) -> float | None:
        """Write a position if the last write is a second ago.

        Returns in how many seconds to call this again, since the position could not be written yet, and None when it is
        written. What is not written comes again after a crash.
        """
        if position == self._saved:
            return None
        if (due_in_s := self._saved_at + SAVE_EVERY_S - time.monotonic()) > 0:
            return due_in_s
        await self.save(position)
        return None

    async def save(self, position: Position) -> None:
        """Write a position if it differs from what is stored."""
        if position != self._saved:
            await self._storage.save(position)
            self._saved, self._saved_at = position, time.monotonic()
