"""What is published during a soak: every lane and every kind, over HTTP and straight to Kafka, alone and in batches."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from clarion.client import ClientError, HttpPublisher, Lane, Publisher, Refused, Result, Submission
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from tests.soak.account import Account, Kind, text
from tests.soak.crowd import FLOODED
from tests.soak.devices import TOKEN_S
from tests.soak.finishing import finished

SENDER: Final = "soak"
LANES: Final = {Lane.URGENT: 10, Lane.HIGH: 20, Lane.NORMAL: 40, Lane.LOW: 30}  # how many in a hundred
KINDS: Final = {Kind.PLAIN: 66, Kind.SCHEDULED: 10, Kind.COLLAPSING: 8, Kind.RETRACTED: 8, Kind.EXPIRING: 8}
WAYS: Final = {"singles": 0.3, "batches": 0.4, "kafka": 0.3}  # shares of all that is published
_DUE_S: Final = (2.0, 30.0)
_LIVES_S: Final = (5.0, 20.0)
_KEYS: Final = 5  # collapse keys of each user
_BATCH_EVERY_S: Final = 1.0
_FLOOD_EVERY_S: Final = 30.0
_FLOOD: Final = 80  # of which the limit lets 50 through
_AT_ONCE: Final = 100  # single requests under way
_STATUS_EVERY: Final = 20  # single requests: one whose sender asks what became of it


@dataclass(slots=True)
class Traffic:
    """Publishes for as long as it runs. `did` counts by kind and by way; `refused` are the first reasons."""

    settings: Settings
    chance: random.Random
    accounts: Mapping[str, Account]
    rate: float
    did: Counter[str] = field(default_factory=Counter[str])
    refused: list[str] = field(default_factory=list[str])
    latest_due: datetime = field(default_factory=times.now)
    _under_way: int = 0  # single requests

    @property
    def accepted(self) -> int:
        """How many were accepted."""
        return sum(account.accepted for account in self.accounts.values())

    @asynccontextmanager
    async def flowing(self) -> AsyncGenerator[None]:
        """Publish while the block runs; after it nothing is under way any more."""
        token = mint(self.settings, sub=SENDER, scope=PUBLISH, ttl_s=TOKEN_S)
        async with (
            Publisher.http(self.settings.ingest_url, token=token) as http,
            Publisher.kafka(self.settings.kafka, sender=SENDER, prefix=self.settings.prefix) as kafka,
            asyncio.TaskGroup() as tasks,
        ):
            works = [
                tasks.create_task(self._singles(http, tasks)),
                tasks.create_task(self._batches(http, http, "batches")),
                tasks.create_task(self._batches(kafka, http, "kafka")),
                tasks.create_task(self._floods(http)),
            ]
            try:
                yield
            finally:
                for work in works:
                    work.cancel()

    async def _singles(self, http: HttpPublisher, tasks: asyncio.TaskGroup) -> None:
        """A request for each, with a key of its own."""
        while True:
            await asyncio.sleep(1 / (self.rate * WAYS["singles"]))
            if self._under_way < _AT_ONCE:
                self._under_way += 1
                tasks.create_task(self._publish(http))

    async def _publish(self, http: HttpPublisher) -> None:
        try:
            await self._publish_one(http)
        finally:
            self._under_way -= 1

    async def _publish_one(self, http: HttpPublisher) -> None:
        kind, one = self._made()
        try:
            id_ = await http.publish(
                recipient=str(one.recipient),
                type=one.type,
                message=one.message,
                priority=one.priority,
                data=one.data,
                deliver_at=one.deliver_at,
                expires_at=one.expires_at,
                collapse_key=one.collapse_key,
                idempotency_key=new_id(),
            )
        except ClientError as error:
            self._refuse(str(error))
            return
        await self._accepted(http, kind, one, id_, "singles")
        if self.did["singles"] % _STATUS_EVERY == 0:
            await http.status(id_)
            self.did["asked what became of one"] += 1

    async def _batches(self, publisher: Publisher, http: HttpPublisher, way: str) -> None:
        while True:
            await asyncio.sleep(_BATCH_EVERY_S)
            made = [self._made() for _ in range(round(self.rate * WAYS[way] * _BATCH_EVERY_S))]
            # whatever cancels this, what is sent is waited for, since it may have been accepted
            await finished(self._publish_many(publisher, http, made, way))

    async def _publish_many(
        self, publisher: Publisher, http: HttpPublisher, made: Sequence[tuple[Kind, Submission]], way: str
    ) -> None:
        results = await publisher.publish_many([one for _, one in made])
        for (kind, one), result in zip(made, results, strict=True):
            if result.id is None or result.status >= 300:
                self._refuse(_why(result))
            else:
                await self._accepted(http, kind, one, result.id, way)

    async def _floods(self, http: HttpPublisher) -> None:
        """More for one recipient than its limit lets through: what is above it is stored and not pushed."""
        while True:
            await asyncio.sleep(_FLOOD_EVERY_S)
            flood = [self._submission(FLOODED, Lane.NORMAL) for _ in range(_FLOOD)]
            await finished(self._publish_many(http, http, [(Kind.EXPIRING, one) for one in flood], "floods"))

    async def _accepted(self, http: HttpPublisher, kind: Kind, one: Submission, id_: str, way: str) -> None:
        self.accounts[str(one.recipient)].published(id_, must_come=kind.must_come)
        self.did[way] += 1
        self.did[kind.name.lower()] += 1
        if one.deliver_at is not None:
            self.latest_due = max(self.latest_due, one.deliver_at)
        if kind is Kind.RETRACTED:
            with contextlib.suppress(Refused):  # of what has expired or was never stored there is nothing to take back
                await http.retract(id_)

    def _refuse(self, why: str) -> None:
        self.did["refused"] += 1
        self.refused = [*self.refused[:9], why]

    def _made(self) -> tuple[Kind, Submission]:
        """Return what to publish next."""
        users = [user for user in self.accounts if user != FLOODED]
        (kind,) = self.chance.choices(list(KINDS), list(KINDS.values()))
        (lane,) = self.chance.choices(list(LANES), list(LANES.values()))
        one, now = self._submission(self.chance.choice(users), lane), times.now()
        match kind:
            case Kind.SCHEDULED:
                one.deliver_at = now + timedelta(seconds=self.chance.uniform(*_DUE_S))
            case Kind.EXPIRING:
                one.expires_at = now + timedelta(seconds=self.chance.uniform(*_LIVES_S))
            case Kind.COLLAPSING:
                one.collapse_key = f"key-{self.chance.randrange(_KEYS)}"
            case _:
                pass
        return kind, one

    def _submission(self, user: str, lane: Lane) -> Submission:
        data: dict[str, object] = {"number": self.chance.randrange(10**6), "url": "https://example.org/some/where"}
        return Submission(recipient=user, type="soak.item", message=text(user), priority=lane, data=data)


def _why(result: Result) -> str:
    return f"HTTP {result.status}: " + "; ".join(error.detail for error in result.errors)
