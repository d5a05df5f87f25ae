"""Performs a model's schedule on the live system, and says what of it could not be done and what went wrong.

`ACTIONS` is the whole correspondence: a step of the model, by its function, and what is done for it here. An action
answers whether the live system did it; one that it does not come to do, because a rule that the schedule was made
without holds here, is refused.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from clarion.contracts import receipts, times
from clarion.contracts.lanes import Lane
from clarion.contracts.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import changes, notifications
from clarion.store.changes import Change
from clarion.store.database import Database
from services.gateway.connection import Connection
from services.gateway.feed import FRESH_MARGIN
from services.stream.folding import fold
from tests.live.device import LiveDevice
from tests.live.gates import WITHIN_S, Gates, soon
from tests.live.gateway import LiveGateway
from tests.live.schedules import Move, Schedule
from tests.live.seams import Actor
from tests.live.worker import Worker
from tests.model import connection_steps, device_steps, faults, lease_steps, mailbox_steps, stream_steps, window_steps
from tests.model.kafka import topic

SURE_S: Final = 5.0  # for what is certain to come, on a machine that is busy
ENDS_WITHIN_S: Final = 20.0


@dataclass(slots=True)
class Live:
    """The live system while a schedule is performed. `links` are the connections as gateways have them, by place."""

    settings: Settings
    stored: Database
    schedule: Schedule
    slowness: asyncio.Event  # set while MongoDB answers nobody
    receipts: Any  # a consumer of the topic
    admin: Any
    workers: dict[tuple[Lane, int], Worker]
    gateways: dict[int, LiveGateway]
    devices: dict[int, LiveDevice]
    make_worker: Callable[[Lane], Worker]
    links: dict[tuple[int, int], tuple[Connection, AsyncExitStack]] = field(
        default_factory=dict[tuple[int, int], tuple[Connection, AsyncExitStack]]
    )
    owners: dict[Lane, int] = field(default_factory=dict[Lane, int])  # the worker that has the lane's partition
    at: dict[int, int] = field(default_factory=dict[int, int])  # each device's gateway
    refused: list[str] = field(default_factory=list[str])
    differs: list[str] = field(default_factory=list[str])  # from the model
    _receipts: list[Receipt] = field(default_factory=list[Receipt])  # on Kafka and not folded yet
    _folded: set[str] = field(default_factory=set[str])

    @property
    def within_s(self) -> float:
        """For what a step lets through to be asked for; what is not, refuses it."""
        return SURE_S if self.schedule.is_lawful else WITHIN_S

    async def perform(self) -> None:
        for number, move in enumerate(self.schedule.moves, 1):
            try:
                did = await ACTIONS[move.do](self, move, *move.args)
            except _NotThere:
                did = False
            if not did:
                self.refused.append(f"{number}. {move.text}")

    # ---- workers

    async def assign(self, _: Move, lane: Lane, number: int) -> bool:
        worker = self.workers[lane, number]
        await worker.begin(await worker.lane.committed())
        self.owners[lane] = number
        return True

    async def leave_group(self, _: Move, lane: Lane, number: int) -> bool:
        await self.workers[lane, number].begin(None)
        return True

    async def hear(self, _: Move, lane: Lane, number: int) -> bool:
        self.workers[lane, number].is_silent = False
        return True

    async def commit(self, _: Move, lane: Lane, number: int) -> bool:
        return await self.workers[lane, number].commit()

    async def take(self, _: Move, lane: Lane, number: int, offset: int) -> bool:
        worker = self.workers[lane, number]
        if worker.position != offset:
            return False
        await worker.take(offset)
        return True

    async def read_again(self, _: Move, lane: Lane, number: int) -> bool:
        worker = self.workers[lane, number]
        if not await soon(worker.must_read_again, self.within_s):
            return False
        await worker.read_again()
        return True

    async def store(self, _: Move, lane: Lane, number: int, offset: int) -> bool:
        return await self._stage("store", lane, number, offset)

    async def route(self, _: Move, lane: Lane, number: int, offset: int) -> bool:
        return await self._stage("route", lane, number, offset)

    async def _stage(self, stage: str, lane: Lane, number: int, offset: int) -> bool:
        worker = self.workers[lane, number]
        await worker.hand(offset)
        if self.slowness.is_set():
            return False
        gates, point = worker.actor.gates, (stage, offset)
        await soon(lambda: gates.waits(point) or offset not in worker.working, self.within_s)
        return (
            await gates.let(point, 0.0) or offset not in worker.working
        )  # it was dropped: the worker may not any more

    async def emit(self, _: Move, lane: Lane, number: int, offset: int) -> bool:
        worker = self.workers[lane, number]
        return await worker.actor.gates.let(("emit", offset), self.within_s) and await worker.ended(offset)

    async def crash_emitting(self, _: Move, lane: Lane, number: int, offset: int, mailbox: int) -> bool:
        worker = self.workers[lane, number]
        worker.actor.only_mailbox = mailbox
        did = await worker.actor.gates.let(("emit", offset), self.within_s) and await soon(
            worker.actor.has_emitted.is_set, SURE_S
        )
        await self._replace(lane, number)
        return did

    async def go_live(self, _: Move, lane: Lane, number: int, offset: int) -> bool:
        worker = self.workers[lane, number]
        await worker.hand(offset)
        wanted = self.schedule.scenario.entries[lane][offset].id
        while wanted not in worker.actor.early:
            if not await worker.actor.gates.let("early", self.within_s):
                return False
        return True

    async def shelve(self, _: Move, lane: Lane, number: int, offset: int) -> bool:
        worker = self.workers[lane, number]
        await worker.hand(offset)
        return await worker.ended(offset)

    async def crash_worker(self, _: Move, lane: Lane, number: int) -> bool:
        await self._replace(lane, number)
        return True

    async def _replace(self, lane: Lane, number: int) -> None:
        await self.workers[lane, number].crash()
        self.workers[lane, number] = self.make_worker(lane)
        if self.owners.get(lane) == number:
            del self.owners[lane]

    async def expel(self, _: Move, lane: Lane, number: int) -> bool:
        if self.owners.get(lane) == number:
            del self.owners[lane]
        return True

    async def wake_worker(self, _: Move, lane: Lane, number: int) -> bool:
        self.workers[lane, number].is_silent = True
        return True

    async def fold_receipt(self, move: Move) -> bool:
        """What its gateway has put together with it is folded with it."""
        while not self._folded.issuperset(move.brings):
            if not self._receipts and not await self._read_receipts(self.within_s):
                return False
            await self._fold(self._receipts.pop(0))
        return True

    async def _read_receipts(self, within_s: float) -> bool:
        for records in (await self.receipts.getmany(timeout_ms=int(within_s * 1000))).values():
            self._receipts += [receipts.decode(record.value) for record in records]
        return bool(self._receipts)

    async def _fold(self, receipt: Receipt) -> None:
        await changes.fold(notifications.collection(self.stored), fold([receipt]).changes)
        self._folded.update(receipt.ids)

    # ---- gateways: lease and mailbox

    async def acquire(self, _: Move, number: int, mailbox: int) -> bool:
        actor = self.gateways[number].actor
        actor.wish = mailbox
        return await actor.gates.let("look", SURE_S) and await actor.gates.comes("fence", self.within_s)

    async def fence(self, _: Move, number: int) -> bool:
        gates = self.gateways[number].actor.gates
        return await gates.let("fence", self.within_s) and await gates.comes("renew", SURE_S)

    async def serve(self, _: Move, number: int) -> bool:
        gateway = self.gateways[number]
        return (
            self._reaches(number)
            and await gateway.actor.gates.let("renew", self.within_s)
            and await gateway.serves(True, self.within_s)
        )

    async def sweep(self, _: Move, number: int) -> bool:
        return await self.gateways[number].actor.gates.let("sweep", self.within_s)

    async def lose(self, _: Move, number: int) -> bool:
        gateway = self.gateways[number]
        if not self._reaches(number) or not await gateway.actor.gates.let("renew", self.within_s):
            return False
        if not await gateway.serves(False, self.within_s):
            return False
        return await self._closed(number)

    def _reaches(self, number: int) -> bool:
        return not (self.slowness.is_set() or self.gateways[number].is_cut_off)

    async def _closed(self, number: int) -> bool:
        """Its clients are, all of them: what is still on its way to them is lost."""
        gateway = self.gateways[number]
        for place in [place for place in self.links if place[0] == number]:
            await self._drop(place)
        return await soon(lambda: not gateway.clients(), SURE_S)

    async def _drop(self, place: tuple[int, int]) -> None:
        _, stack = self.links.pop(place)
        await stack.aclose()
        gateway, device = place
        if self.at.get(device) == gateway:
            del self.at[device]

    async def read(self, _: Move, number: int, name: str, __: int) -> bool:
        """Until it asks for the next record, or has found that it was fenced."""
        gateway, point = self.gateways[number], ("mailbox", self._topic(name))
        if not await gateway.actor.gates.let(point, self.within_s):
            return False
        if not await soon(lambda: gateway.actor.gates.waits(point) or not gateway.is_serving, SURE_S):
            return False
        return gateway.is_serving or await self._closed(number)

    async def skip(self, move: Move, number: int, name: str) -> bool:
        return await self.read(move, number, name, 0)

    def _topic(self, name: str) -> str:
        names = Names(self.settings.prefix)
        return names.deliveries_urgent if name == "urgent" else names.deliveries_bulk

    # ---- gateways: connections

    async def write_sessions(self, _: Move, number: int) -> bool:
        return await self.gateways[number].actor.gates.let("sessions", self.within_s)

    async def time_out(self, move: Move, number: int) -> bool:
        self.gateways[number].actor.times_out = True
        return await self.write_sessions(move, number)

    async def land(self, _: Move, number: int) -> bool:
        late = self.gateways[number].actor.late
        for write in late:
            await write()
        late.clear()
        return True

    async def arrive(self, _: Move, number: int, device: int) -> bool:
        connection = self._connection(number, device)
        if not await self._gates(number).let(("told", connection), self.within_s):
            return False
        if not await soon(lambda: connection.present, SURE_S):
            return False
        await self._send_receipts(number)
        return True

    async def _send_receipts(self, number: int) -> None:
        """In the model they are on Kafka at once."""
        gateway = self.gateways[number].actor.gateway
        assert gateway is not None
        async with asyncio.timeout(SURE_S):
            await gateway.outbox.flush()

    async def start_read(self, _: Move, number: int, device: int) -> bool:
        return await self._gates(number).let(("read", self._connection(number, device)), self.within_s)

    async def finish_read(self, _: Move, number: int, device: int) -> bool:
        return await self._gates(number).let(("answer", self._connection(number, device)), self.within_s)

    async def acknowledge(self, _: Move, number: int, device: int, __: int) -> bool:
        feed = self._connection(number, device).feed
        tag = await self.devices[device].acknowledge()
        if tag is None or not await soon(lambda: all(sent.tag > tag for sent in feed._sent), SURE_S):
            return False
        await self._send_receipts(number)
        return True

    async def leave(self, _: Move, number: int, device: int) -> bool:
        connection = self._connection(number, device)
        await self._drop((number, device))
        return await soon(lambda: connection not in self.gateways[number].clients(), SURE_S)

    def _connection(self, number: int, device: int) -> Connection:
        if (number, device) not in self.links:
            raise _NotThere
        return self.links[number, device][0]

    def _gates(self, number: int) -> Gates:
        return self.gateways[number].actor.gates

    # ---- devices

    async def connect(self, _: Move, device: int, number: int) -> bool:
        """Greeted as well: without its session, for the sake of what goes live early."""
        gateway, its = self.gateways[number], self.devices[device]
        if not gateway.is_serving or (number, device) in self.links:
            return False
        if its.position.since is None:
            its.exempt |= await self._acknowledged_before()
        before, stack = gateway.clients(), AsyncExitStack()
        await its.connect(stack, gateway.settings.gateway_url)

        def greeted() -> list[Connection]:
            return [connection for connection in gateway.clients() - before if connection.greeted]

        if not await soon(lambda: bool(greeted()), SURE_S):
            await stack.aclose()
            return False
        self.links[number, device] = greeted()[0], stack
        self.at[device] = number
        return True

    async def _acknowledged_before(self) -> set[str]:
        """What a fresh device is not owed: others have acknowledged it too long ago."""
        query = {"delivered_at": {"$lt": times.now() - FRESH_MARGIN}}
        return {one["_id"] async for one in notifications.collection(self.stored).find(query, ["_id"])}

    async def handle(self, move: Move, device: int) -> bool:
        if device not in self.at:
            return False
        brought = await self.devices[device].handle(self.within_s)
        if brought is not None and brought != move.brings:
            self.differs.append(f"{move.text}: {brought} instead of {move.brings}")
        return brought is not None

    async def hang_up(self, _: Move, device: int) -> bool:
        """Its socket is left alone: what comes there is lost, and the gateway notices when the schedule says so."""
        return self.at.pop(device, None) is not None

    async def go(self, move: Move, device: int) -> bool:
        self.devices[device].is_gone = True
        return await self.hang_up(move, device)

    async def lie(self, _: Move, device: int) -> bool:
        number = self.at.get(device)
        if number is None:
            return False
        await self.devices[device].lie()
        connection = self._connection(number, device)
        self.devices[device].is_gone = True
        del self.at[device]
        return await soon(lambda: not connection.open, SURE_S)

    async def forget(self, _: Move, device: int) -> bool:
        self.devices[device].forget()
        return True

    async def fill_socket(self, _: Move, number: int, device: int) -> bool:
        return self._writable(number, device, False)

    async def drain_socket(self, _: Move, number: int, device: int) -> bool:
        return self._writable(number, device, True)

    def _writable(self, number: int, device: int, is_writable: bool) -> bool:
        gateway = self.gateways[number].actor.gateway
        assert gateway is not None
        gateway.writable(self._connection(number, device), is_writable)
        return True

    # ---- faults of the rest

    async def crash_gateway(self, _: Move, number: int) -> bool:
        await self.gateways[number].crash()
        for place in [place for place in self.links if place[0] == number]:
            await self._drop(place)
        self.gateways[number] = LiveGateway(self.settings, Actor(lanes=frozenset(self.schedule.scenario.lanes)))
        await self.gateways[number].start()
        return True

    async def cut_off_gateway(self, _: Move, number: int) -> bool:
        self.gateways[number].is_cut_off = True
        return True

    async def reconnect_gateway(self, _: Move, number: int) -> bool:
        self.gateways[number].is_cut_off = False
        return True

    async def overrun(self, _: Move, number: int) -> bool:
        gateway = self.gateways[number]
        mailbox = gateway.actor.wish if gateway.mailbox is None else gateway.mailbox
        assert mailbox is not None
        names = {self._topic(topic(lane)) for lane in self.schedule.scenario.lanes}
        await self.admin.delete_records(
            {TopicPartition(name, mailbox): RecordsToDelete(before_offset=-1) for name in names}
        )
        return True

    async def take_mongodb_away(self, _: Move) -> bool:
        self.slowness.set()
        return True

    async def bring_mongodb_back(self, _: Move) -> bool:
        self.slowness.clear()
        return True

    async def retract(self, _: Move, id_: str) -> bool:
        await changes.fold(notifications.collection(self.stored), [Change(Op.RETRACTED, (id_,), times.now())])
        return True

    async def never(self, _: Move, *__: Any) -> bool:
        """Only where a rule is left out."""
        return False

    async def nothing(self, _: Move, *__: Any) -> bool:
        """What a schedule says by granting nothing to an actor meanwhile."""
        return True

    # ---- the end

    async def settle(self, within_s: float) -> None:
        """Hold nothing any more, mend what is broken, go on until everybody has what it is owed, or time is over."""
        self.slowness.clear()
        for actor in (each.actor for each in (*self.workers.values(), *self.gateways.values())):
            actor.gates.open()
        for worker in self.workers.values():
            worker.is_silent = False
        for place, (connection, _) in list(self.links.items()):
            if self.at.get(place[1]) != place[0]:
                await self._drop(place)
            elif connection.feed.paused:
                self._writable(*place, True)
        try:
            async with asyncio.timeout(within_s):
                while await self._missing() or not (await self._all_committed() and self._all_live()):
                    await self._go_on()
        except TimeoutError:
            pass  # what is missing is told by `wrongs`

    async def _go_on(self) -> None:
        self._wish()
        for lane in self.schedule.scenario.lanes:
            if lane not in self.owners:
                await self.assign(self.schedule.moves[0], lane, 0)
            await self._owner(lane).go_on()
        await self._read_receipts(0.02)
        while self._receipts:
            await self._fold(self._receipts.pop(0))
        for number, device in self.devices.items():
            if not device.is_gone:
                await self._read_on(number, device)

    def _owner(self, lane: Lane) -> Worker:
        return self.workers[lane, self.owners.get(lane, 0)]

    def _wish(self) -> None:
        """Who has no mailbox takes one that nobody serves."""
        free = set(range(self.schedule.scenario.mailboxes)) - {each.mailbox for each in self.gateways.values()}
        for gateway in self.gateways.values():
            if not gateway.is_serving:
                gateway.actor.wish = min(free, default=None)
                free.discard(min(free, default=-1))

    async def _read_on(self, number: int, device: LiveDevice) -> None:
        at = self.at.get(number)
        if at is not None and device.is_closed:
            await self._drop((at, number))
            at = None
        if at is None:
            serving = [n for n, gateway in self.gateways.items() if gateway.is_serving]
            home = [n for n in serving if n == number] or serving
            if home:
                await self.connect(self.schedule.moves[0], number, home[0])
            return
        await device.handle(0.02)
        await device.acknowledge()

    async def _missing(self) -> list[str]:
        scenario = self.schedule.scenario
        states = await self._states()
        missing = [f"{id_} is never stored" for id_ in scenario.by_id if id_ not in states]
        for number, device in self.devices.items():
            for id_, (_, entry) in scenario.by_id.items():
                owed = entry.recipient == device.user and states.get(id_) != "retracted" and not device.is_gone
                if owed and id_ not in device.received | device.exempt:
                    missing.append(f"device {number} never receives {id_}")
        return missing

    async def _all_committed(self) -> bool:
        owners = [self._owner(lane) for lane in self.schedule.scenario.lanes]
        return all([await owner.lane.committed() == len(owner.lane.records) for owner in owners])

    def _all_live(self) -> bool:
        return all(self._connection(gateway, device).feed.is_live() for device, gateway in self.at.items())

    async def _states(self) -> Mapping[str, str]:
        whole = {"ord": {"$exists": True}}
        found = notifications.collection(self.stored).find(whole, ["state"])
        return {one["_id"]: one["state"] async for one in found}

    async def wrongs(self) -> list[str]:
        """What must not be, after all."""
        scenario, wrongs = self.schedule.scenario, await self._missing()
        if not await self._all_committed():
            wrongs.append("a lane does not come to its end")
        for number, device in self.devices.items():
            wrongs += [f"device {number}: {wrong}" for wrong in device.wrongs]
            strange = [id_ for id_ in device.received if scenario.by_id[id_][1].recipient != device.user]
            wrongs += [f"device {number} receives {id_}, which is another user's" for id_ in strange]
            if number in self.at and not self._connection(self.at[number], number).feed.is_live():
                wrongs.append(f"the connection of device {number} never goes live")
            if device.repeats and not any(move.is_fault for move in self.schedule.moves) and not self.refused:
                wrongs.append(f"device {number} receives {device.repeats} again, and nothing went wrong")
        received = {id_ for device in self.devices.values() for id_ in device.received}
        states = await self._states()
        wrongs += [
            f"{id_} was received by nobody and is not pending any more"
            for id_, state in states.items()
            if state in {"delivered", "read"} and id_ not in received
        ]
        return wrongs


class _NotThere(Exception):
    """The schedule asks something of a connection that the live system does not have."""


ACTIONS: Final[Mapping[Callable[..., None], Callable[..., Awaitable[bool]]]] = {
    # what workers do
    stream_steps.assign: Live.assign,
    stream_steps.leave_group: Live.leave_group,
    stream_steps.hear: Live.hear,
    stream_steps.commit: Live.commit,
    stream_steps.take: Live.take,
    stream_steps.read_again: Live.read_again,
    window_steps.store: Live.store,
    window_steps.route: Live.route,
    window_steps.emit: Live.emit,
    window_steps.go_live: Live.go_live,
    window_steps.shelve: Live.shelve,
    window_steps.fold_receipt: Live.fold_receipt,
    # what gateways do
    lease_steps.acquire: Live.acquire,
    lease_steps.fence: Live.fence,
    lease_steps.serve: Live.serve,
    lease_steps.lose: Live.lose,
    lease_steps.sweep: Live.sweep,
    mailbox_steps.read: Live.read,
    mailbox_steps.skip: Live.skip,
    mailbox_steps.go_to_end: Live.never,
    connection_steps.write_sessions: Live.write_sessions,
    connection_steps.land: Live.land,
    connection_steps.arrive: Live.arrive,
    connection_steps.start_read: Live.start_read,
    connection_steps.finish_read: Live.finish_read,
    connection_steps.acknowledge: Live.acknowledge,
    connection_steps.leave: Live.leave,
    # what devices do
    device_steps.connect: Live.connect,
    device_steps.handle: Live.handle,
    device_steps.hang_up: Live.hang_up,
    # what goes wrong, and is mended
    faults.crash_worker: Live.crash_worker,
    faults.crash_emitting: Live.crash_emitting,
    faults.put_worker_to_sleep: Live.nothing,
    faults.expel: Live.expel,
    faults.wake_worker: Live.wake_worker,
    faults.crash_gateway: Live.crash_gateway,
    faults.cut_off_gateway: Live.cut_off_gateway,
    faults.reconnect_gateway: Live.reconnect_gateway,
    faults.time_out: Live.time_out,
    faults.put_gateway_to_sleep: Live.nothing,
    faults.wake_gateway: Live.nothing,
    faults.overrun: Live.overrun,
    faults.go: Live.go,
    faults.lie: Live.lie,
    faults.forget: Live.forget,
    faults.fill_socket: Live.fill_socket,
    faults.drain_socket: Live.drain_socket,
    faults.take_mongodb_away: Live.take_mongodb_away,
    faults.bring_mongodb_back: Live.bring_mongodb_back,
    faults.retract: Live.retract,
}
