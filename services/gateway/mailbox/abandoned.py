"""Frees the mailboxes of gateways that died, and removes their sessions, without waiting for a new gateway.

A killed gateway leaves its users' sessions behind, and every notification of those users costs a record that nobody
reads. So each serving gateway looks for leases that nobody renews, takes such a mailbox over, and gives it back at
once. Looking needs no lease: when several gateways find the same mailbox, only one of them gets it.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS
from clarion.contracts.topics import Names
from clarion.store import mailboxes, sessions
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.mailboxes import Lease
from clarion.telemetry import metrics
from services.gateway.mailbox.lease import LOOKED_AWAY_S, ObservedLeases
from services.gateway.mailbox.reader import write_fences

log = structlog.get_logger()

# Each wait is between half of this and one and a half times this, so that gateways that started together do not look
# together. A killed gateway's sessions are gone within two such waits and the lease time, which is 32 s.
LOOK_EVERY_S: Final = 4.0
SWEEP_EVERY_S: Final = 60.0  # a session that is written after a sweep costs records for at most this long


@dataclass(slots=True)
class AbandonedMailboxes:
    """Looks for abandoned mailboxes among `count`. `own_lease` is the one of this gateway."""

    own_lease: Lease
    count: int
    stored: Database
    producer: AIOKafkaProducer
    names: Names
    _observed: ObservedLeases = field(default_factory=lambda: ObservedLeases(LOOKED_AWAY_S))
    _sweeps_at: float = 0.0

    async def run(self) -> None:
        """Look until cancelled. What a look leaves undone, this gateway or another one finds again."""
        while True:
            await asyncio.sleep(random.uniform(0.5, 1.5) * LOOK_EVERY_S)  # noqa: S311 - spreads load
            try:
                await self.look(time.monotonic())
            except (*database.TRANSIENT, *SEND_ERRORS) as error:
                log.warning(
                    "the gateway could not look for abandoned mailboxes, and does so again later", error=repr(error)
                )

    async def look(self, now: float) -> None:
        """Clear the mailboxes that are abandoned at `now`, in seconds of this gateway's own monotonic clock.

        Raises one of `database.TRANSIENT` or of `clients.SEND_ERRORS`.
        """
        leases = await mailboxes.find_all(mailboxes.collection(self.stored))
        self._observed.look(leases, now)
        stale = [number for number in self._observed.stale(self.count, now) if number != self.own_lease.mailbox]
        for number in random.sample(stale, len(stale)):
            await self.clear(leases[number])
        if now >= self._sweeps_at:
            await self.sweep_again(leases)
            self._sweeps_at = now + SWEEP_EVERY_S

    async def clear(self, seen: Lease) -> None:
        """Take a mailbox as its next owner would (next epoch, fence, sweep), and give it back.

        Its owner may only be paused, or cut off from MongoDB. It then finds the fence or the epoch, and closes its
        clients, which come back to other gateways (D-owner-closes). If this gateway dies in between, it does not renew
        the lease, and another gateway clears the mailbox.
        """
        leases = mailboxes.collection(self.stored)
        lease = await mailboxes.take(leases, seen, f"{self.own_lease.owner} clears up")
        if lease is None:
            return  # its owner has renewed, or another gateway was faster
        await write_fences(self.producer, self.names, lease)
        swept = await sessions.sweep(sessions.collection(self.stored), lease.mailbox, lease.epoch)
        await mailboxes.release(leases, lease)
        metrics.mailboxes_cleared.inc()
        log.warning("an abandoned mailbox is free again", mailbox=lease.mailbox, owner=seen.owner, swept=swept)

    async def sweep_again(self, leases: Mapping[int, Lease]) -> None:
        """Remove sessions that were written after a sweep: by an owner that slept, or by a write that had timed out.

        These are the sessions of an earlier epoch than the current one. In a mailbox without an owner, those of the
        current epoch go as well, since the next owner gets a higher one.
        """
        first = {lease.mailbox: lease.epoch + (not lease.owner) for lease in leases.values()}
        if swept := await sessions.sweep_all(sessions.collection(self.stored), first):
            log.info("sessions that were written after a sweep were removed", swept=swept)
