"""What the routes of the console work with, and who works there: each request is an operator's."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from starlette.requests import Request

from clarion.contracts.topics import Names
from clarion.operating.audit_log import CONSOLE, Operator
from clarion.security.tokens import OPERATE
from clarion.settings import Settings
from clarion.store.driver.database import Database
from clarion.telemetry.health import Dependency
from clarion.web.budget import Budget
from clarion.web.callers import TokenCheck, caller
from clarion.web.problem_responses import Unavailable
from clarion.web.stored import asking
from services.console.documents import Documents
from services.console.live import Live

# A replay has up to 12 MiB of letters in hand, so few run at once; the others are told to try again.
_REPLAYS_AT_ONCE = 2
# A trace opens connections of its own and may read 32 MiB of Kafka.
_TRACES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Desk:
    """Settings, servers and their health, what is watched, and the room for requests."""

    settings: Settings
    stored: Database
    names: Names
    mongodb: Dependency
    kafka: Dependency
    producer: AIOKafkaProducer
    budget: Budget
    live: Live
    documents: Documents
    replays: Budget = field(default_factory=lambda: Budget(max_requests=_REPLAYS_AT_ONCE))
    traces: Budget = field(default_factory=lambda: Budget(max_requests=_TRACES_AT_ONCE))

    async def operator(self, request: Request, check: TokenCheck) -> Operator:
        """Return who makes a request. Raise `Refused` without a good token that has the scope `operate`."""
        claims = await caller(request, check, OPERATE)
        return Operator(self.stored, self.names, claims.subject, CONSOLE)

    @contextmanager
    def working(self) -> Generator[None]:
        """Take room for a request that asks MongoDB. Raise `Full`, or `Unavailable` when MongoDB does not answer."""
        with self.budget.request(), asking(self.mongodb):
            yield

    @contextmanager
    def sending(self) -> Generator[None]:
        """Take room for a request that sends to Kafka. Raise `Full`, or `Unavailable` while Kafka is down."""
        if not self.kafka.up:
            raise Unavailable("Kafka is down, and nothing was done: try again later")
        with self.replays.request():
            yield
