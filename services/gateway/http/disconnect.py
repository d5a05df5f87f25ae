"""`POST /v1/users/{id}/disconnect`: every gateway refuses the user's tokens that were issued until now.

The revocation is stored first, since clients that connect are looked up there. This gateway refuses the tokens from
then on, and the other gateways are told. One that is not told, as while Kafka is away, finds it by itself
(`revocations.follow`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.broker import clients
from clarion.contracts import limits, names, times
from clarion.contracts.api.problems import FieldError
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Control
from clarion.contracts.topics import Names
from clarion.security.tokens import OPERATE
from clarion.store import mailboxes, revocations
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.telemetry.health import Dependency
from clarion.web.callers import TokenCheck, caller
from clarion.web.problem_responses import Refused, Unavailable
from clarion.web.revocations import seconds_after

log = structlog.get_logger()

TOLD_WITHIN_S: Final = 5.0  # for Kafka to take what the other gateways are told
_CLOCKS: Final = timedelta(minutes=1)  # how far clocks may differ


class Disconnected(msgspec.Struct):
    """Tokens issued before `tokens_from` are refused."""

    tokens_from: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Disconnects users. `heard` is called with what was stored, so that this gateway knows at once.

    `token_life_s` is for how many seconds a token that was issued by now may still be good.
    """

    heard: Callable[[str, datetime], None]
    stored: Database
    producer: AIOKafkaProducer
    kafka: Dependency
    names: Names
    token_life_s: float

    async def __call__(self, user: str) -> datetime:
        """Revoke a user's tokens; return the time from which on a new token is good.

        Raises one of `database.TRANSIENT`: then it may be done or not, and can be tried again.
        """
        tokens_from = seconds_after(times.now())
        keep_until = tokens_from + timedelta(seconds=self.token_life_s) + _CLOCKS
        await revocations.revoke(revocations.collection(self.stored), user, tokens_from, keep_until)
        # This gateway must know before the operator has the answer; its own record comes back through Kafka only later.
        self.heard(user, tokens_from)
        leases = await mailboxes.find_all(mailboxes.collection(self.stored))
        await self._tell(user, tokens_from, [number for number, lease in leases.items() if lease.owner])
        return tokens_from

    async def _tell(self, user: str, tokens_from: datetime, owned: list[int]) -> None:
        """Tell the gateways of the mailboxes `owned`. A failure is only logged, since they find it by themselves."""
        value = deliveries.encode(Control("disconnect", user, tokens_from))
        records = [{"topic": self.names.deliveries_urgent, "partition": number, "value": value} for number in owned]
        try:
            if not self.kafka.up:
                raise TimeoutError("Kafka is down")
            await clients.send_all(self.producer, records, within_s=TOLD_WITHIN_S)
        except clients.SEND_ERRORS as error:
            log.warning("gateways were not told of a disconnect, and find it in MongoDB instead", error=repr(error))


def disconnect_routes(check: TokenCheck, disconnect: Disconnect) -> list[Route]:
    """Return the route; `check` verifies the operator's token."""

    async def answer(request: Request) -> Response:
        operator = await caller(request, check, OPERATE)
        user: str = request.path_params["user"]
        if fault := names.fault_of(user):
            error = FieldError("", "name", f"the user's name in the path {fault}", limits.NAME_CHARS)
            raise Refused(422, "the user's name in the path is invalid: see errors", errors=[error])
        try:
            tokens_from = await disconnect(user)
        except database.TRANSIENT as error:
            raise Unavailable(
                "MongoDB did not answer, so the user may be disconnected or not: repeat the request"
            ) from error
        log.info("an operator disconnected a user", user=user, operator=operator.subject)
        return Response(
            msgspec.json.encode(Disconnected(times.rfc3339(tokens_from))), 202, media_type="application/json"
        )

    return [Route("/v1/users/{user:path}/disconnect", answer, methods=["POST"])]
