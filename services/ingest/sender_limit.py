"""Limit how much a sender may publish, in each ingest process.

Each subject of an access token has a bucket; each recipient that it publishes to takes a token out of it.
"""

import math
import time
from collections.abc import Mapping
from typing import Final

from clarion.contracts import limits
from clarion.contracts.api.problems import FieldError
from clarion.contracts.records.notification import Notification
from clarion.resilience.gcra import RateLimit
from clarion.telemetry import metrics
from clarion.web.problem_responses import Refused
from services.ingest.batch import LineResult


class UnfoundLimit:
    """Limits how many ids that are not found a subject may retract: each leaves a stub for days."""

    def __init__(self) -> None:
        self._limit: Final = RateLimit(limits.UNFOUND_PER_S, limits.UNFOUND_BURST)

    def charge(self, subject: str) -> None:
        """Take a token. Raise `Refused` (429 with Retry-After) when there is none.

        By the time that Retry-After names, the notification is mostly stored, and can be retracted without this limit.
        """
        if wait_s := self._limit.take(subject, time.monotonic()):
            most = f"{limits.UNFOUND_PER_S}/s"
            detail = (
                f"of notifications that are not stored yet, a sender may retract {limits.UNFOUND_PER_S} a second and "
                f"{limits.UNFOUND_BURST} at once: wait for as long as Retry-After says"
            )
            metrics.rate_limited.labels("retractions").inc()
            raise _later(detail, FieldError("", "rate", detail, most), wait_s)


class SenderLimit:
    """Limits each subject to `rate` recipients a second and `burst` at once; a `rate` of 0 means no limit.

    It counts by the subject of the access token, not by the sender that a notification names, which may be anybody.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate: Final = rate
        self._burst: Final = burst
        self._limit: Final = RateLimit(rate, burst) if rate else None

    def charge(self, subject: str, recipients: int) -> None:
        """Take a token for each recipient. Raise `Refused`: 429 with Retry-After, or 422 beyond the burst."""
        if self._limit is None:
            return
        if recipients > self._burst:
            detail = f"a request may have at most {self._burst} recipients: split it"
            raise Refused(422, detail, errors=[FieldError("/recipients", "too_many", detail, self._burst)])
        if wait_s := self._limit.take(subject, time.monotonic(), recipients):
            metrics.rate_limited.labels("sender_rate").inc()
            raise _later(self._detail(), self._error(), wait_s)

    def admit(
        self, subject: str, lines: Mapping[int, Notification]
    ) -> tuple[dict[int, Notification], dict[int, LineResult]]:
        """Take a token for each line, in order. Return the lines that got one, and the others' results."""
        if self._limit is None:
            return dict(lines), {}
        now = time.monotonic()
        admitted: dict[int, Notification] = {}
        refused: dict[int, LineResult] = {}
        for line, item in lines.items():
            if wait := self._limit.take(subject, now):
                refused[line] = LineResult(line, 429, errors=[self._error()], retry_after=math.ceil(wait))
            else:
                admitted[line] = item
        metrics.rate_limited.labels("sender_rate").inc(len(refused))
        return admitted, refused

    def _detail(self) -> str:
        return (
            f"a sender may publish {self._rate:g} notifications a second, and {self._burst} at once: "
            "wait for as long as Retry-After says"
        )

    def _error(self) -> FieldError:
        return FieldError("", "rate", self._detail(), f"{self._rate:g}/s")


def _later(detail: str, error: FieldError, wait_s: float) -> Refused:
    return Refused(429, detail, errors=[error], headers={"Retry-After": str(math.ceil(wait_s))})
