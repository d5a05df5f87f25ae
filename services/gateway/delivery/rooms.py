"""Keeps one room a user: all of the user's connections at this gateway."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from clarion.contracts.api.frames import Resync, ServerSync, encode
from clarion.contracts.lanes import Lane
from clarion.telemetry import metrics
from services.gateway.client.batch_frames import batch_frame, join, split
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem

_GREETED: Final = ConnectionState.GREETED
ROOMS_A_STEP: Final = 4  # some 50 µs of work; a yield after each room would cost as much as copying a notification


class Rooms:
    """Keeps all rooms. A room has at most `per_user` connections, and ends with its last one."""

    def __init__(self, per_user: int) -> None:
        self.per_user: Final = per_user
        self._rooms: Final[dict[str, tuple[Connection, ...]]] = {}
        self._pushed: Final = {lane: metrics.pushed.of(lane, "live") for lane in Lane}
        self._repeats: Final = {lane: metrics.repeats_dropped.labels(lane) for lane in Lane}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Connection]:
        return (connection for room in self._rooms.values() for connection in room)

    def of(self, user: str) -> Sequence[Connection]:
        """Return the connections of a user; none for a user who is not here."""
        return self._rooms.get(user, ())

    def join(self, connection: Connection) -> bool:
        """Add a connection to its user's room; return False when the room is full."""
        room = self._rooms.get(connection.user, ())
        if len(room) >= self.per_user:
            return False
        self._rooms[connection.user] = (*room, connection)
        connection.advance(ConnectionState.JOINED)
        metrics.rooms.set(len(self._rooms))
        return True

    def leave(self, connection: Connection) -> bool:
        """Remove a connection from its room, if it is in one.

        Returns True when it was the user's last connection here.
        """
        if connection.claims is None or connection not in self.of(connection.user):
            return False
        room = tuple(other for other in self.of(connection.user) if other is not connection)
        if room:
            self._rooms[connection.user] = room
            return False
        self._rooms.pop(connection.user, None)
        metrics.rooms.set(len(self._rooms))
        return True

    def push(self, items: Iterable[tuple[str, OutgoingItem]], caught_up: datetime | None) -> Iterator[list[Connection]]:
        """Push items to the rooms of their users, a few rooms a step; yield the connections that have to catch up.

        Items are pushed whatever epoch they were routed for (D-push-all). Several items for one user go in one frame,
        which is encoded once for all of the user's connections. `caught_up` is the time up to which the mailbox was
        read to its end.
        """
        behind: list[Connection] = []
        for number, (user, offered) in enumerate(self._by_user(items).items(), 1):
            for run in split(offered) if len(offered) > 1 else (offered,):
                self._push(self._rooms.get(user, ()), run, caught_up, behind)
            if number % ROOMS_A_STEP == 0:
                yield behind
                behind = []
        yield behind

    def push_early(self, items: Iterable[tuple[str, OutgoingItem]], caught_up: datetime | None) -> set[str]:
        """Push items that are not stored yet to connections that can take them; return the ids that some took."""
        pushed: set[str] = set()
        for user, offered in self._by_user(items).items():
            for connection in self._rooms[user]:
                if connection.state >= _GREETED:
                    push = connection.feed.offer_early(offered)
                    connection.send_items(push, caught_up)
                    for item in push:
                        metrics.pushed.of(item.lane, "unstored").n += 1
                        pushed.add(item.id)
        return pushed

    def _by_user(self, items: Iterable[tuple[str, OutgoingItem]]) -> Mapping[str, list[OutgoingItem]]:
        """Group items by user, and leave out users who are not here."""
        by_user: defaultdict[str, list[OutgoingItem]] = defaultdict(list)
        for user, item in items:
            if user in self._rooms:
                by_user[user].append(item)
        return by_user

    def _push(
        self,
        room: Iterable[Connection],
        run: Sequence[OutgoingItem],
        caught_up: datetime | None,
        behind: list[Connection],
    ) -> None:
        """Push a frame's items to the connections of one room; add those that have to catch up to `behind`."""
        joined: bytes | None = None
        for connection in room:
            feed = connection.feed
            was_live = feed.is_live
            push, repeats = feed.offer(run)
            for item in push:
                self._pushed[item.lane].n += 1
            if len(push) == len(run):
                joined = joined or join(run)
                connection.transport.write(batch_frame(feed.send(run), joined, feed.advance_since(caught_up)))
                continue
            connection.send_items(push, caught_up)
            if len(push) + repeats < len(run):
                behind.append(connection)
                if was_live:
                    metrics.credit_exhausted.inc()
            if repeats:
                self._repeats[run[0].lane].inc(repeats)

    def sync(self, user: str, frame: ServerSync) -> None:
        """Send `sync` to a user's connections.

        A connection that cannot take more is owed a single `resync` instead, however many `sync` it misses. So is one
        without its `hello`, since the count in `hello` may have been read before this one.
        """
        text = encode(frame)
        for connection in self._rooms.get(user, ()):
            if connection.feed.paused or connection.state < _GREETED:
                connection.resync_owed = True
            else:
                connection.transport.write(text)

    def settle(self, connection: Connection) -> None:
        """Send the `resync` that a connection is owed, if it has its `hello` and can take it."""
        if connection.resync_owed and connection.state >= _GREETED and not connection.feed.paused:
            connection.resync_owed = False
            connection.send(Resync())
