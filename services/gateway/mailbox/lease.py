"""Which mailbox to lease, and keeping it. The choice is pure; time is seconds of the gateway's own monotonic clock."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from clarion.resilience.retry import retry
from clarion.store import mailboxes
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.store.mailboxes import KNOWN_AFTER_S, RENEW_EVERY_S, TAKE_AFTER_S, Lease
from clarion.telemetry import metrics

log = structlog.get_logger()

POLL_S: Final = 1.0
LOOKED_AWAY_S: Final = 2 * RENEW_EVERY_S  # an owner that renews has done so since


class LeaseLost(Exception):
    """Another gateway owns the mailbox: every client here must go, and a new lease must be taken."""


@dataclass(slots=True)
class ObservedLeases:
    """Since when each lease has been seen as it is.

    Who has looked away for longer than `lapse_s` knows nothing: while MongoDB is away, nobody can renew.
    """

    lapse_s: float = math.inf
    seen: dict[int, tuple[Lease, float]] = field(default_factory=dict[int, tuple[Lease, float]])
    looked: float = -math.inf

    def look(self, leases: Mapping[int, Lease], now: float) -> None:
        if now - self.looked > self.lapse_s:
            self.seen.clear()
        self.looked = now
        for number, lease in leases.items():
            before = self.seen.get(number)
            if before is None or before[0] != lease:
                self.seen[number] = (lease, now)

    def candidates(self, count: int, leases: Mapping[int, Lease], now: float) -> list[int]:
        """Mailboxes to try for: those nobody has, then those whose owner has been silent for the lease time."""
        free = [n for n in range(count) if n not in leases or not leases[n].owner]
        return free or self.stale(count, now)

    def stale(self, count: int, now: float) -> list[int]:
        """Mailboxes whose owner has been silent for the lease time."""
        seen = self.seen.items()
        return [n for n, (lease, since) in seen if n < count and lease.owner and now - since >= TAKE_AFTER_S]


async def acquire(
    collection: Collection,
    count: int,
    owner: str,
    shuffle: Callable[[Sequence[int]], list[int]] = lambda candidates: random.sample(candidates, len(candidates)),
) -> Lease:
    """Wait for a mailbox and take it. In random order, so that gateways that start together do not collide."""
    observed = ObservedLeases(LOOKED_AWAY_S)
    while True:
        lease = await retry(lambda: _try(collection, count, owner, observed, shuffle), "mongodb", *database.TRANSIENT)
        if lease is not None:
            log.info("mailbox leased", mailbox=lease.mailbox, epoch=lease.epoch)
            metrics.mailbox_epoch.set(lease.epoch)
            return lease
        await asyncio.sleep(POLL_S)


async def _try(
    collection: Collection,
    count: int,
    owner: str,
    observed: ObservedLeases,
    shuffle: Callable[[Sequence[int]], list[int]],
) -> Lease | None:
    """Take what can be taken, or what an earlier try has taken whose answer was lost."""
    leases = await mailboxes.read_all(collection)
    if mine := next((lease for lease in leases.values() if lease.owner == owner), None):
        return mine
    now = time.monotonic()
    observed.look(leases, now)
    for number in shuffle(observed.candidates(count, leases, now)):
        before = leases.get(number)
        if before is None:
            lease = await mailboxes.create(collection, number, owner)
        else:
            lease = await mailboxes.take(collection, before, owner)
        if lease is not None:
            return lease
    return None


async def confirm(collection: Collection, lease: Lease, taken_at: float) -> None:
    """Await this between the fence and the first client (D-lease-confirmed).

    It ends once those who send have seen whose mailbox it is (D-lanes-know).

    Who slept before writing its fence may have been overtaken: then its fence stands behind the newer one, and it never
    reads that. Waits while MongoDB is away. Raises LeaseLost.
    """
    await asyncio.sleep(taken_at + KNOWN_AFTER_S - time.monotonic())
    _check(await retry(lambda: mailboxes.renew(collection, lease), "mongodb", *database.TRANSIENT), lease)


async def keep(collection: Collection, lease: Lease) -> None:
    """Renew for ever. Raises LeaseLost when somebody else has it (D-owner-closes).

    A MongoDB that is away closes nobody (D-outage-stays).
    """
    while True:
        await asyncio.sleep(RENEW_EVERY_S)
        try:
            renewed = await mailboxes.renew(collection, lease)
        except database.TRANSIENT as error:
            log.warning("lease not renewed", mailbox=lease.mailbox, error=repr(error))
            continue
        _check(renewed, lease)


def _check(renewed: Lease | None, lease: Lease) -> None:
    if renewed is None:
        raise LeaseLost(f"mailbox {lease.mailbox} has another owner")
