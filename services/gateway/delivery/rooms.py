"""One room a user, over all of the user's connections here."""

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
ROOMS_A_STEP: Final = 4  # some 50 µs of work; to ask after each whether to go on costs as much as a notification's copy


class Rooms:
    """At most `per_user` connections in a room, which ends with its last one."""

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
        return self._rooms.get(user, ())

    def join(self, connection: Connection) -> bool:
        """False when the user has as many connections as allowed."""
        room = self._rooms.get(connection.user, ())
        if len(room) >= self.per_user:
            return False
        self._rooms[connection.user] = (*room, connection)
        connection.advance(ConnectionState.JOINED)
        metrics.rooms.set(len(self._rooms))
        return True

    def leave(self, connection: Connection) -> bool:
        """True when that was the user's last connection here. One that is in no room changes nothing."""
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
        """Give (user, item) pairs to their rooms, a few in a step; of each, the connections that have to catch up.

        Whatever epoch they were routed for (D-push-all). Several items for one user go in one frame, encoded once for
        all of the user's connections.
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
        """Give items that are not stored yet to whoever can take them now; the ids that somebody took."""
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
        """Of the users who are here."""
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
        joined: bytes | None = None
        for connection in room:
            feed = connection.feed
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
            if repeats:
                self._repeats[run[0].lane].inc(repeats)

    def sync(self, user: str, frame: ServerSync) -> None:
        """Tell a user's connections. One that cannot take more is owed a single `resync`, however many there were.

        So is one that has no `hello` yet: the count in that may have been read before this one.
        """
        text = encode(frame)
        for connection in self._rooms.get(user, ()):
            if connection.feed.paused or connection.state < _GREETED:
                connection.resync_owed = True
            else:
                connection.transport.write(text)

    def settle(self, connection: Connection) -> None:
        """The connection can take more again, or has its `hello`."""
        if connection.resync_owed and connection.state >= _GREETED and not connection.feed.paused:
            connection.resync_owed = False
            connection.send(Resync())
