"""A part of all users is cut off, and comes back: what connects do to gateways, to MongoDB, and so to every lane. Pure.

One gateway stands for all, since chance spreads users over them evenly, and MongoDB does the work of all of them. Time
goes by in steps. In each, clients try, the gateway's loop works through what it has in order, and MongoDB's cores are
shared by all operations that are under way. A lane's notifications wait in Kafka until MongoDB has stored those before.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clarion.contracts.lanes import LANES, Lane
from services.stream.engine.windows import POLICIES
from services.stream.lanes.urgent import SLOW_S
from tests.capacity.model import DEFAULTS
from tests.growth.simulation.deployment import Deployment
from tests.growth.simulation.returning import Returning
from tests.growth.simulation.station import Station

STEP_S: Final = 0.02
LONGEST_S: Final = 1_800.0
BEFORE_S: Final = 5.0  # of calm, before the cut
_US: Final = 1e-6
_LIVE: Final = "live"
_CONNECTS: Final = "connects"
_RECEIPTS: Final = "receipts"
# Of what MongoDB does for a notification: the update to `delivered`, and the count of what is unread after that. This
# share was not measured; it decides how the same work is divided between two queues.
RECEIPT_FOLDS: Final = 0.4


@dataclass(frozen=True, slots=True)
class Moment:
    """What one second was like. Rates are of all gateways; a latency is from publishing to the frame."""

    at: float  # since the cut
    back: float  # of those who were cut
    connects_per_s: float
    refused_per_s: float
    gateway_busy: float
    gateway_wait_s: float
    mongodb_busy: float
    late_s: Mapping[Lane, float]


@dataclass(slots=True)
class Storm:
    """Of all users, `share` are cut off, and their network is back after `away_s`."""

    of: Deployment
    share: float
    away_s: float
    seed: int
    moments: list[Moment] = field(default_factory=list[Moment])
    clients: Returning = field(init=False)
    _gateway: Station = field(init=False)
    _mongodb: Station = field(init=False)
    _given_s: float = 0.0  # work that the gateway's loop was ever given
    _connects_done_s: float = 0.0  # work that MongoDB has ever done for connects
    _in_kafka: dict[Lane, float] = field(default_factory=lambda: dict.fromkeys(LANES, 0.0))
    _late_s: dict[Lane, float] = field(default_factory=lambda: dict.fromkeys(LANES, 0.0))

    def __post_init__(self) -> None:
        each = self.of.connections // self.of.gateways
        self._gateway, self._mongodb = Station(1.0), Station(self.of.mongodb_cores)
        stay = each - round(each * self.share)
        self.clients = Returning(random.Random(self.seed), self.of.upgrades_per_s, stay)

    @property
    def _missed(self) -> float:
        """Return how many notifications each of them is sent from the store."""
        return self.of.rate / self.of.connections * self.away_s

    @property
    def _connect_stored_s(self) -> float:
        return self.of.connects.mongodb * _US

    @property
    def _lanes(self) -> list[Lane]:
        return [lane for lane in LANES if self.of.shares[lane]]

    @property
    def cut(self) -> int:
        """Return how many clients of one gateway are cut off."""
        return round(self.of.connections // self.of.gateways * self.share)

    def run(self) -> None:
        """Let time pass until all are back and every lane is as it was, or for half an hour."""
        now, calm_after = 0.0, BEFORE_S + self.away_s
        self._second(now, is_cut=False)
        while now < LONGEST_S:
            now += 1.0
            if now == BEFORE_S:
                self.clients.now = now
                self.clients.cut(self.cut, network_is_back_at=now + self.away_s)
            self._second(now, is_cut=now >= BEFORE_S)
            if now > calm_after and self.clients.is_over and self._is_calm():
                return

    def _is_calm(self) -> bool:
        calm = self.moments[0].late_s
        return all(late <= 1.1 * calm[lane] for lane, late in self.moments[-1].late_s.items())

    def _second(self, began: float, *, is_cut: bool) -> None:
        back, refused = self.clients.back, self.clients.refused
        busy_gateway, busy_mongodb = self._gateway.busy, self._mongodb.busy
        late = dict.fromkeys(LANES, 0.0)
        waited = 0.0
        for number in range(round(1 / STEP_S)):
            self._step(began + number * STEP_S)
            waited = max(waited, self._gateway.backlog_s)
            late = {lane: max(late[lane], self._late_s[lane]) for lane in LANES}
        count = self.of.gateways
        self.moments.append(
            Moment(
                began - BEFORE_S,
                self.clients.back / self.cut if is_cut and self.cut else 0.0,
                (self.clients.back - back) * count,
                (self.clients.refused - refused) * count,
                self._gateway.busy - busy_gateway,
                waited,
                (self._mongodb.busy - busy_mongodb) / self.of.mongodb_cores,
                late,
            )
        )

    def _step(self, now: float) -> None:
        of, clients = self.of, self.clients
        connect_s = (of.connects.gateway + self._missed * of.costs.gateway_item) * _US
        live_s = of.gateway_cores * STEP_S
        admitted = clients.try_until(now, self._given_s + live_s, connect_s)
        self._given_s += live_s + admitted * connect_s
        self._gateway.add(_LIVE, live_s)
        self._gateway.add(_CONNECTS, admitted * connect_s)
        # the loop does what is ready in turn, so each kind gets on as its share of what waits
        waits_s = self._gateway.backlog_s
        self._gateway.run(STEP_S, {kind: work / waits_s for kind, work in self._gateway.waiting.items() if waits_s})
        clients.loop_has_done(self._given_s - sum(self._gateway.waiting.values()))
        self._store()

    def _store(self) -> None:
        """Have MongoDB work for a step: lanes' windows, receipts, and the batch of sessions of every gateway."""
        of, store = self.of, self._mongodb
        begun = self.clients.begin_to_store()
        store.add(_CONNECTS, begun * self._connect_stored_s * of.gateways)
        at_once = {_CONNECTS: float(of.gateways), _RECEIPTS: float(of.receipts_workers * DEFAULTS.windows_in_flight)}
        store.add(_RECEIPTS, of.mongodb_cores_busy * STEP_S * RECEIPT_FOLDS)
        for lane in self._lanes:
            self._in_kafka[lane] += of.rate_of(lane) * STEP_S
            most = of.workers[lane] * DEFAULTS.windows_in_flight
            room_s = most * POLICIES[lane].max_records * self._stored_s(lane) - store.waiting.get(lane, 0.0)
            taken = min(self._in_kafka[lane], max(0.0, room_s) / self._stored_s(lane), self._worker_takes(lane))
            self._in_kafka[lane] -= taken
            store.add(lane, taken * self._stored_s(lane))
            at_once[lane] = min(most, max(1.0, store.waiting[lane] / self._window_s(lane)))
        done = store.run(STEP_S, at_once)
        self._connects_done_s += done[_CONNECTS]
        self.clients.store_has_done(self._connects_done_s / self._connect_stored_s / of.gateways)
        for lane in self._lanes:
            self._late_s[lane] = self._latency(lane, done[lane] / self._stored_s(lane) / STEP_S)

    def _worker_takes(self, lane: Lane) -> float:
        """Return how many notifications the workers of a lane take in a step, were they busy all the time."""
        return self.of.workers[lane] * STEP_S / (self.of.lane_cores(lane) / self.of.rate_of(lane))

    def _stored_s(self, lane: Lane) -> float:
        """Return what storing a notification of a lane costs MongoDB, its part of a window included."""
        return self.of.mongodb_cores_of(lane) / self.of.rate_of(lane) * (1 - RECEIPT_FOLDS)

    def _window_s(self, lane: Lane) -> float:
        """Return what storing a window costs MongoDB, as it is in calm: one operation, which has one core at most."""
        return self.of.rate_of(lane) / self.of.windows_of(lane) * self._stored_s(lane)

    def _latency(self, lane: Lane, stored_per_s: float) -> float:
        """Return how long a notification takes that is published now, at the pace at which its lane is stored now."""
        behind = self._in_kafka[lane] + self._mongodb.waiting[lane] / self._stored_s(lane)
        store_s = max(self._window_s(lane), behind / stored_per_s if stored_per_s else LONGEST_S)
        if lane is Lane.URGENT:  # it goes live before it is stored, once that takes too long
            store_s = min(store_s, SLOW_S)
        return POLICIES[lane].max_age_s + store_s + self._gateway.backlog_s
