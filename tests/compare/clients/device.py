"""What every Python device is, and how it tells what happens to it."""

import sys
import time
from typing import Protocol

import msgspec

from tests.compare.clients.lines import Ended, Got, Kept, Live, Told


class Device(Protocol):
    """A user's device. It connects again by itself until it is told to leave."""

    async def run(self) -> None:
        """Stay connected until cancelled, and then leave with a close frame."""
        ...

    def cut(self) -> None:
        """Lose the connection, as by a network that drops it."""
        ...


class Tell:
    """What a device tells of itself."""

    def __init__(self, user: str, position: str | None = None) -> None:
        self.user = user
        self.position = position  # what the application of this user has kept, on whichever device it ran before

    def live(self) -> None:
        """It is connected."""
        say(Live(self.user))

    def ended(self, why: str) -> None:
        """Its connection has ended, or could not be made."""
        say(Ended(self.user, why))

    def got(self, key: str) -> None:
        """Its application was handed a notification."""
        say(Got(self.user, key, time.time()))

    def kept(self, position: str) -> None:
        """Its application has kept a position."""
        say(Kept(self.user, position))


def say(told: Told) -> None:
    """Write a line."""
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()
