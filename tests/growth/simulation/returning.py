"""Clients that lost their connections and come back to one gateway: the SDK's waits, the gateway's own admission. Pure.

The waits are those of the Python SDK (`Reconnect`), and the limits are the gateway's own class (`ConnectionLimits`),
driven by the simulation's clock.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from clarion.client.subscribing.connection import HELLO_S
from clarion.contracts import limits
from clarion.resilience.backoff import Backoff
from clarion.settings import Settings
from services.gateway.access.connect import STORE_WITHIN_S
from services.gateway.access.connection_limits import ConnectionLimits
from services.gateway.mailbox.session_writer import BATCH

_BACKOFF: Final = Backoff(limits.RECONNECT_MIN_S, limits.RECONNECT_MAX_S - limits.RECONNECT_MIN_S)
_ADDRESS: Final = "load balancer"


@dataclass(slots=True)
class Returning:
    """`away` holds when each client tries next, and how often it has failed; all others are under way, or back.

    A client that was admitted waits for the gateway's loop, behind all work that was there before it, and then for its
    session to be stored. A gateway has one batch of sessions under way at a time; since the gateways for which this one
    stands are not in step, its batch is filled up and done as a flow.
    """

    chance: random.Random
    upgrades_per_s: float
    connections: int  # that the gateway has already
    now: float = 0.0
    back: int = 0
    refused: int = 0
    gave_up: int = 0  # times that no `hello` came in time
    degraded: int = 0  # times that `hello` came before the session was stored
    _away: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    _at_loop: deque[tuple[float, float, int]] = field(default_factory=deque[tuple[float, float, int]])
    _at_store: deque[float] = field(default_factory=deque[float])
    _in_batch: deque[float] = field(default_factory=deque[float])
    _stored: int = 0  # sessions that were ever stored
    _limits: ConnectionLimits = field(init=False)

    def __post_init__(self) -> None:
        settings = Settings(connections_per_ip=0, upgrades_per_s=self.upgrades_per_s)
        self._limits = ConnectionLimits(settings, lambda: self.now)
        for _ in range(self.connections):
            self._limits.enter(_ADDRESS)

    def cut(self, clients: int, *, network_is_back_at: float) -> None:
        """Cut so many clients now. They try in vain until the network is back, each after its own waits."""
        for _ in range(clients):
            failures, at = 0, self.now
            while True:
                at += self._wait_s(failures)
                failures += 1
                if at >= network_is_back_at:
                    break
            self._away.append((at, failures))
        heapq.heapify(self._away)

    def _wait_s(self, failures: int, asked_for_s: float = 0.0) -> float:
        """Return how long the SDK waits after so many failures in a row, as `Reconnect.after` says it."""
        return asked_for_s + limits.RECONNECT_MIN_S + _BACKOFF.delay(failures, self.chance.uniform)

    @property
    def under_way(self) -> int:
        """Return how many are admitted, and not back yet."""
        return len(self._at_loop) + len(self._at_store) + len(self._in_batch)

    @property
    def is_over(self) -> bool:
        """Return whether all are back."""
        return not self._away and not self.under_way

    def try_until(self, now: float, loop_work_s: float, connect_s: float) -> int:
        """Have all try whose time has come; return how many are admitted.

        `loop_work_s` is how much work the gateway's loop was ever given; a connect adds `connect_s` to it.
        """
        admitted = 0
        while self._away and self._away[0][0] <= now:
            at, failures = heapq.heappop(self._away)
            self.now = at
            refusal = self._limits.refusal(_ADDRESS)
            if refusal is not None:
                assert refusal.status is HTTPStatus.SERVICE_UNAVAILABLE, refusal.detail
                self.refused += 1
                again = at + self._wait_s(failures, refusal.retry_after_s or 0)
                heapq.heappush(self._away, (again, failures + 1))
                continue
            self._limits.enter(_ADDRESS)
            admitted += 1
            self._at_loop.append((loop_work_s + admitted * connect_s, at, failures))
        self.now = now
        return admitted

    def loop_has_done(self, work_s: float) -> None:
        """Note how much work the loop has ever done: whose part is in it goes on, unless the client has given up."""
        while self._at_loop and self._at_loop[0][0] <= work_s + 1e-9:
            _, tried_at, failures = self._at_loop.popleft()
            if self.now - tried_at > HELLO_S:
                self.gave_up += 1
                self._limits.leave(_ADDRESS)
                heapq.heappush(self._away, (self.now + self._wait_s(failures), failures + 1))
            else:
                self._at_store.append(self.now)

    def begin_to_store(self) -> int:
        """Fill up the batch of sessions that is under way; return how many came into it."""
        begun = min(BATCH - len(self._in_batch), len(self._at_store))
        self._in_batch.extend(self._at_store.popleft() for _ in range(begun))
        return begun

    def store_has_done(self, sessions: float) -> None:
        """Note how many sessions were ever stored, and what their users have waiting is known: they are back."""
        while self._in_batch and self._stored + 1 <= sessions + 1e-6:
            self._stored += 1
            self.back += 1
            self.degraded += self.now - self._in_batch.popleft() > STORE_WITHIN_S
