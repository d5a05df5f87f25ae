"""Chooses a mailbox, leases it, and keeps the lease.

The choice is pure. Times are seconds of the gateway's own monotonic clock.
"""

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

RENEW_AGAIN_S: Final = 0.5  # after a try that failed
POLL_S: Final = 1.0  # between two tries to take a mailbox
LOOKED_AWAY_S: Final = 2 * RENEW_EVERY_S  # an owner that lives has renewed within it


class LeaseLost(Exception):
    """The mailbox has another owner, or MongoDB was restored: close all clients, and take another lease."""


@dataclass(slots=True)
class ObservedLeases:
    """Remembers since when each lease has been unchanged.

    All of that is forgotten after `lapse_s` without a look: while MongoDB is away nobody can renew, so a lease that has
    not changed meanwhile says nothing about its owner. `seen` has each lease and since when, `looked` the time of the
    last look.
    """

    lapse_s: float = math.inf
    seen: dict[int, tuple[Lease, float]] = field(default_factory=dict[int, tuple[Lease, float]])
    looked: float = -math.inf

    def look(self, leases: Mapping[int, Lease], now: float) -> None:
        """Note which leases have changed since the last look."""
        if now - self.looked > self.lapse_s:
            self.seen.clear()
        self.looked = now
        for number, lease in leases.items():
            before = self.seen.get(number)
            if before is None or before[0] != lease:
                self.seen[number] = (lease, now)

    def candidates(self, count: int, leases: Mapping[int, Lease], now: float) -> list[int]:
        """Return the mailboxes to try: those without an owner.

        When there are none, those whose owner has not renewed for the lease time.
        """
        free = [n for n in range(count) if n not in leases or not leases[n].owner]
        return free or self.stale(count, now)

    def stale(self, count: int, now: float) -> list[int]:
        """Return the mailboxes whose owner has not renewed for the lease time."""
        seen = self.seen.items()
        return [n for n, (lease, since) in seen if n < count and lease.owner and now - since >= TAKE_AFTER_S]


async def acquire(
    collection: Collection,
    count: int,
    owner: str,
    shuffle: Callable[[Sequence[int]], list[int]] = lambda candidates: random.sample(candidates, len(candidates)),
) -> Lease:
    """Wait for a mailbox, and take it.

    Mailboxes are tried in random order, so that gateways that start together do not collide.
    """
    observed = ObservedLeases(LOOKED_AWAY_S)
    while True:
        lease = await retry(lambda: _try(collection, count, owner, observed, shuffle), "mongodb", *database.TRANSIENT)
        if lease is not None:
            log.info("a mailbox was leased", mailbox=lease.mailbox, epoch=lease.epoch)
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
    """Take a mailbox that can be taken; return None when there is none.

    An earlier try may have taken one whose answer was lost: that one is returned.
    """
    leases = await mailboxes.find_all(collection)
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
    """Check that the lease is still this gateway's; to be awaited between fence and first client (D-lease-confirmed).

    It returns only once every urgent lane has had the time to see that the mailbox has an owner (D-lanes-know).

    A gateway that slept before writing its fence may have been overtaken. Its fence then stands behind the newer
    owner's, which it never reads, so it has to ask. Waits while MongoDB is away. Raises LeaseLost.
    """
    await asyncio.sleep(taken_at + KNOWN_AFTER_S - time.monotonic())
    _check(await retry(lambda: mailboxes.renew(collection, lease), "mongodb", *database.TRANSIENT), lease)


async def keep(collection: Collection, lease: Lease) -> None:
    """Renew the lease until cancelled. Raises LeaseLost when another gateway has the mailbox (D-owner-closes).

    While MongoDB is away, the lease is kept and nobody is closed (D-outage-stays). It is tried again soon, to find out
    before lanes go on whether the MongoDB that comes back was restored from a backup: then the sessions of those who
    have come since are gone, so nothing would reach them (D-restored-sessions).
    """
    wait_s = RENEW_EVERY_S
    while True:
        await asyncio.sleep(wait_s)
        try:
            renewed = await mailboxes.renew(collection, lease)
            if renewed is not None and renewed.renewals <= lease.renewals:
                await mailboxes.release(collection, renewed)  # taken again, it has another epoch and so other sessions
                raise LeaseLost(f"MongoDB has an earlier lease of mailbox {lease.mailbox}: it was restored")
        except database.TRANSIENT as error:
            log.warning("the lease of the mailbox could not be renewed", mailbox=lease.mailbox, error=repr(error))
            wait_s = RENEW_AGAIN_S
            continue
        lease, wait_s = _check(renewed, lease), RENEW_EVERY_S


def _check(renewed: Lease | None, lease: Lease) -> Lease:
    """Return a renewed lease. Raise LeaseLost when it was not renewed, since another gateway has the mailbox."""
    if renewed is None:
        raise LeaseLost(f"mailbox {lease.mailbox} has another owner")
    return renewed
