"""Pushes and counts what is pending although every other way to deliver it has passed it: the safety net.

By the rules of the protocol there is no such thing, so the count is 0. The net turns a fault that nobody has thought of
into a delay of a minute or two, and shows it. It leaves out whatever is merely on its way, since it pushes an item only
when all of this is true, looked at in this order:

1. The item is below its lane's committed offset: it was emitted.
2. The mailbox was read to its end after that: what was emitted for this gateway has come.
3. All of the user's connections are live, and have acknowledged all that they were sent.
4. Their receipts were sent, and folded by the receipts role: what they acknowledged is not pending any more.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog
from aiokafka.admin import AIOKafkaAdminClient

from clarion.broker import group_offsets
from clarion.broker.clients import SEND_ERRORS
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.group_offsets import Commit
from clarion.broker.partitioner import partition_of
from clarion.contracts import order, times
from clarion.contracts.lanes import LANES
from clarion.contracts.records import deliveries
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications, topics
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.store.queries import undelivered
from clarion.store.queries.undelivered import Undelivered
from clarion.store.topics import Placing
from clarion.telemetry import metrics
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import START
from services.gateway.delivery.rooms import Rooms
from services.gateway.receipts.sender import ReceiptSender

log = structlog.get_logger()

USERS: Final = 500  # users that one query asks about
_POLL_S: Final = 0.2

Room = Sequence[Connection]
T = TypeVar("T")


@dataclass(slots=True)
class SafetyNet:
    """Looks every `settings.safety_net_s` seconds.

    `caught_up` returns the time up to which the mailbox was read to its end.
    """

    settings: Settings
    stored: Collection
    topics: Collection
    rooms: Rooms
    receipt_sender: ReceiptSender
    caught_up: Callable[[], datetime | None]

    async def run(self) -> None:
        """Look until cancelled.

        A look that does not end within its period, as while Kafka is away, is given up and counted as `missed`.
        """
        every_s = self.settings.safety_net_s
        while True:
            await asyncio.sleep(every_s)
            how = "missed"
            try:
                async with asyncio.timeout(every_s):
                    await self.look(times.now() - timedelta(seconds=every_s / 2))
                how = "done"
            except (*SEND_ERRORS, *database.TRANSIENT) as error:
                log.warning("the safety net could not look for undelivered notifications", error=repr(error))
            except Exception:
                log.exception("the safety net failed: please report it")  # a fault of the net must not end the gateway
            metrics.safety_net_looks.labels(how).inc()

    async def look(self, stored_before: datetime) -> None:
        """Push what was stored before `stored_before` and every other way has passed.

        Raises one of `clients.SEND_ERRORS` or of `database.TRANSIENT`.
        """
        names = Names(self.settings.prefix)
        async with group_offsets.asking(self.settings) as admin:
            emitted = await group_offsets.committed(admin, [names.group(lane) for lane in LANES])
            placings = await topics.placings(self.topics, map(names.notifications, LANES))
            asked_at = times.now()
            await _until(lambda: (self.caught_up() or asked_at) > asked_at)
            quiet = await self._quiet()
            await self.receipt_sender.flush()
            await self._folded(admin, names)
        for users in _some(list(quiet)):
            found = await undelivered.find(self.stored, users, stored_before, times.now())
            metrics.safety_net_asked.inc(len(users))
            if missed := [one for one in found if _is_below(one, emitted, placings, self.settings)]:
                await notifications.come_late(self.stored, [one.id for one in missed])
                self._push(missed, quiet)

    async def _quiet(self) -> dict[str, Room]:
        """Return the users for whom nothing is on its way, with their rooms."""
        quiet: dict[str, Room] = {}
        for some in _some(list(self.rooms)):
            for connection in some:
                if connection.state is ConnectionState.PRESENT and _is_quiet(room := self.rooms.of(connection.user)):
                    quiet[connection.user] = room
            await asyncio.sleep(0)  # let urgent items go first
        return quiet

    async def _folded(self, admin: AIOKafkaAdminClient, names: Names) -> None:
        """Wait until every receipt that Kafka has by now is folded."""
        numbers = await self.receipt_sender.producer.partitions_for(
            names.receipts
        )  # the partitions among which the producer has placed its receipts
        partitions = [Partition(names.receipts, number) for number in numbers]
        ends = {p: end for p, end in (await group_offsets.ends(self.settings, partitions)).items() if end}

        async def all_folded() -> bool:
            done = await group_offsets.committed(admin, [names.group("receipts")])
            return all(partition in done and done[partition].offset >= end for partition, end in ends.items())

        while not await all_folded():
            await asyncio.sleep(_POLL_S)

    def _push(self, found: Sequence[Undelivered], quiet: Mapping[str, Room]) -> None:
        """Push what was found, whatever the cursors; it is sent as `unstored`, so it moves none.

        Users whose room has changed meanwhile are left to the next look.
        """
        by_user: defaultdict[str, list[Undelivered]] = defaultdict(list)
        for one in found:
            by_user[one.recipient].append(one)
        for user, items in by_user.items():
            room = self.rooms.of(user)
            if room != quiet[user] or not _is_quiet(room):
                continue
            offered = [
                (user, OutgoingItem(item.id, item.lane, START, deliveries.unstored_body(item.body), stored=False))
                for item in items
            ]
            pushed = self.rooms.push_early(offered, self.caught_up())
            for item in items:
                if item.id in pushed:
                    metrics.overlooked.labels(item.lane).inc()
                    log.error(
                        "the safety net pushed an overlooked notification: please report it",
                        id=item.id,
                        lane=item.lane,
                        ord=item.ord,
                    )


def _is_quiet(room: Room) -> bool:
    """Return whether all connections of a room were sent all there was, and have handled it."""
    return all(
        connection.state is ConnectionState.PRESENT
        and not connection.feed.paused
        and connection.feed.is_live
        and connection.feed.in_flight() == (0, 0)
        for connection in room
    )


def _is_below(
    one: Undelivered, emitted: Mapping[Partition, Commit], placings: Mapping[str, Placing], settings: Settings
) -> bool:
    """Return whether an item is below its lane's committed offset, and so was emitted.

    The offset counts in the generation in which it was committed. The topic may have grown since, and what is of the
    later generation need not be emitted yet.
    """
    topic = Names(settings.prefix).notifications(one.lane)
    placing = placings.get(topic, Placing(settings.generation, settings.partitions_lane))
    done = emitted.get(Partition(topic, partition_of(one.recipient, placing.partitions)), Commit(0))
    return one.ord < order.pack(placing.generation if done.generation is None else done.generation, done.offset)


async def _until(is_so: Callable[[], bool]) -> None:
    """Wait until `is_so` returns True."""
    while not is_so():
        await asyncio.sleep(_POLL_S)


def _some(them: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split a sequence into parts of at most USERS."""
    return (them[start : start + USERS] for start in range(0, len(them), USERS))
