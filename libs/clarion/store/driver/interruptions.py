"""Count how often the connection to MongoDB broke: only then may another one, such as a restored one, be behind it."""

from pymongo.monitoring import (
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutStartedEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)


class Interruptions(ConnectionPoolListener):
    """The driver tells this, in a thread of its own, what happens to its connections. `count` only rises.

    The driver clears its pool when its monitor's connection ends, which is at once when mongod does, and when an
    operation's connection fails.
    """

    def __init__(self) -> None:
        self.count = 0

    def pool_cleared(self, event: PoolClearedEvent) -> None:
        """Count that all connections were given up."""
        self.count += 1

    def pool_created(self, event: PoolCreatedEvent) -> None:
        """Do nothing, as all below."""

    def pool_ready(self, event: PoolReadyEvent) -> None:
        """Do nothing."""

    def pool_closed(self, event: PoolClosedEvent) -> None:
        """Do nothing."""

    def connection_created(self, event: ConnectionCreatedEvent) -> None:
        """Do nothing."""

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        """Do nothing."""

    def connection_closed(self, event: ConnectionClosedEvent) -> None:
        """Do nothing."""

    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None:
        """Do nothing."""

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:
        """Do nothing."""

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:
        """Do nothing."""

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:
        """Do nothing."""
