"""What a fleet of devices is told, and what it tells. `socketio/clients.mjs` speaks the same."""

from typing import Literal

import msgspec


class Do(msgspec.Struct):
    """What one user's device is to do: connect, leave with a close frame, or lose its connection without one.

    `position` is what the user's application has kept, for a client that says on connecting how far it has come.
    """

    do: Literal["connect", "leave", "cut"]
    user: str
    position: str | None = None


class Live(msgspec.Struct, tag="live", tag_field="is"):
    """A device is connected and the server has greeted it, if servers of this kind do."""

    user: str


class Ended(msgspec.Struct, tag="ended", tag_field="is"):
    """A device's connection has ended, or could not be made, though nobody told the device to leave."""

    user: str
    why: str


class Got(msgspec.Struct, tag="got", tag_field="is"):
    """The application of a user was handed a notification. `at` is in seconds, by the machine's clock.

    `position` is how far the application has come by that, for a client that keeps it.
    """

    user: str
    key: str
    at: float
    position: str | None = None


class Kept(msgspec.Struct, tag="kept", tag_field="is"):
    """The application of a user has kept a new position, apart from a notification."""

    user: str
    position: str


class Received(msgspec.Struct, tag="bytes", tag_field="is"):
    """How many bytes all of the fleet's sockets have received since it began, handshakes included."""

    count: int


Told = Live | Ended | Got | Kept | Received
