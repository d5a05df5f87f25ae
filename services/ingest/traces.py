"""Give each request its trace: the one that its sender brings (W3C trace context), or one that begins here."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.requests import Request

from clarion.contracts import trace
from clarion.contracts.records.notification import Notification
from clarion.contracts.trace import Trace
from clarion.resilience.gcra import RateLimit
from clarion.telemetry.otel import spans
from clarion.telemetry.otel.spans import Recorder, Span

log = structlog.get_logger()

_BURST: Final = 100  # sampled notifications at once, of one process
_TRACEPARENT: Final = trace.TRACEPARENT.encode()
_TRACESTATE: Final = trace.TRACESTATE.encode()


@dataclass(slots=True)  # not frozen: each request makes one, and that would take three times as long
class RequestTrace:
    """The trace of a request. `headers` are for the records that it makes.

    There are none for a trace that begins here and is not sampled: nobody records a span of it, and its trace id is the
    notification's id. The header would be a sixth of a record, and cost a lane a twentieth of its CPU.
    """

    own: Trace
    parent: Trace | None
    headers: Sequence[tuple[str, bytes]]
    began_ns: int
    record: Recorder | None

    def ended(self, accepted: Sequence[bool], notifications: Sequence[Notification]) -> None:
        """Log what was published, and record the span of it, if the request is sampled."""
        if not self.own.sampled:
            return
        log.debug(
            "sampled notifications were published",
            ids=[item.id for item in notifications],
            trace_id=self.own.trace_id,
            accepted=sum(accepted),
        )
        if self.record is None:
            return
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.batch.message_count": len(notifications),
            "messaging.message.id": notifications[0].id or "",
            "clarion.lane": str(notifications[0].priority),
            "clarion.accepted": sum(accepted),
        }
        error = "" if all(accepted) else "Kafka did not acknowledge all records in time"
        self.record(
            Span("publish", self.own, self.parent, self.began_ns, time.time_ns(), "producer", (), attributes, error)
        )


class Traces:
    """Begins the traces of requests.

    What part of those without a trace is sampled says `ratio`; they are only while somebody records spans. Of the
    notifications whose senders want them sampled, `per_s` a second are. The flag of others is taken away, so that no
    sender can have the whole system write down each of its notifications.
    """

    def __init__(self, ratio: float, per_s: float, chance: Callable[[], float] = random.random) -> None:
        self._ratio: Final = ratio
        self._limit: Final = RateLimit(per_s, max(_BURST, int(per_s))) if per_s else None
        self._chance: Final = chance

    def begin(self, request: Request, notifications: Sequence[Notification]) -> RequestTrace:
        """Return the trace of a request for these notifications, of which there is at least one."""
        given, state = _given(request)
        record = spans.recorder()
        wanted = given.sampled if given else record is not None and self._chance() < self._ratio
        sampled = wanted and self._has_room(len(notifications))
        if given is None:
            own = trace.begun_by(notifications[0].id or "", sampled=sampled)
        elif record is not None and sampled:
            own = spans.child_of(given)
        else:
            own = given._replace(sampled=sampled)
        headers = [trace.header(own), *state] if given or sampled else []
        return RequestTrace(own, given, headers, time.time_ns(), record)

    def _has_room(self, notifications: int) -> bool:
        return self._limit is not None and not self._limit.take("", time.monotonic(), notifications)


def traceparent_of(request: Request) -> str | None:
    """Return the trace of a request that publishes nothing, as its receipt has it; None if it brings none."""
    given, _ = _given(request)
    return str(given._replace(sampled=False)) if given else None


def _given(request: Request) -> tuple[Trace | None, list[tuple[str, bytes]]]:
    """Return the trace that a request brings, and the header `tracestate` that goes with it."""
    headers: list[tuple[bytes, bytes]] = request.scope["headers"]
    found = next((trace.parse(value.decode("latin-1")) for name, value in headers if name == _TRACEPARENT), None)
    if found is None:
        return None, []
    state = b",".join(value for name, value in headers if name == _TRACESTATE)
    return found, [(trace.TRACESTATE, state)] if 0 < len(state) <= trace.STATE_CHARS else []
