"""The rules of delivery, each with a world in which leaving it out breaks a promise.

Ids are those of `docs/delivery.md`, which says what each rule is for; `test_rules_page.py` holds the two together. A
rule of the model's own is left out by its id (`World.keeps`); a rule of a production class by a patch (`careless.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import pytest

from tests.model import careless
from tests.model.explorer import Found, explore
from tests.model.world import scenarios
from tests.model.world.scenario import Scenario

Break = Callable[[pytest.MonkeyPatch], None]

_found: Final[dict[str, Found]] = {}  # by the rule's id


@dataclass(frozen=True)
class Rule:
    """One rule of `docs/delivery.md`. `without` leaves it out by a patch; without one the model does, by its `id`."""

    id: str
    says: str
    scenario: Scenario
    without: Break | None = None

    def broken(self, within_s: float) -> Found:
        """What is broken without it; found once, and remembered."""
        if self.id not in _found:
            _found[self.id] = self._explore(within_s)
        return _found[self.id]

    def _explore(self, within_s: float) -> Found:
        with pytest.MonkeyPatch.context() as patch:
            if self.without is not None:
                self.without(patch)
            return explore(replace(self.scenario, name=f"without {self}", without=frozenset({self.id})), within_s)

    def __str__(self) -> str:
        return f"{self.id}: {self.says}"


RULES: Final = [
    Rule("D-store-first", "a lane stores before it looks up who is connected", scenarios.ONE),
    Rule("D-room-first", "a connection is in its room before its session is stored", scenarios.ONE),
    Rule("D-session-first", "the session is written before the store is read", scenarios.ONE),
    Rule("D-ask-after-session", "what waits is asked once the session is stored", scenarios.ONE),
    Rule("D-session-each", "a session is written for every connection", scenarios.SIBLINGS),
    Rule("D-stage-order", "each stage is first-in-first-out in a partition", scenarios.TWO),
    Rule(
        "D-read-delivered",
        "catching up reads what another device acknowledged",
        scenarios.TWO_DEVICES,
        careless.only_pending_is_read,
    ),
    Rule("D-live-mark", "live only when no mark exceeds the cursor", scenarios.TWO, careless.read_ignores_marks),
    Rule("D-live-sent", "live only when all that was read is sent", scenarios.CREDIT, careless.live_before_all_is_sent),
    Rule(
        "D-live-at-once",
        "live at once only when no mark exceeds the cursor",
        scenarios.ONE,
        careless.arrival_ignores_marks,
    ),
    Rule(
        "D-since-live",
        "`since` moves only while a connection is live",
        scenarios.HOUR_SOCKET,
        careless.since_moves_always,
    ),
    Rule("D-since-read", "`since` moves only up to where the mailbox was read to its end", scenarios.HOUR_SOCKET),
    Rule(
        "D-since-answer",
        "an answer is good for when the one before it came",
        scenarios.HOUR_SOCKET,
        careless.answers_are_always_fresh,
    ),
    Rule("D-route-all", "the stream routes to every session it reads", scenarios.TAKEOVER),
    Rule("D-push-all", "a gateway pushes whatever is for its rooms", scenarios.TAKEOVER),
    Rule("D-fence", "a new owner writes a fence", scenarios.CUT_OFF),
    Rule("D-lease-confirmed", "a lease is confirmed between the fence and the first client", scenarios.NO_FENCE_YET),
    Rule("D-position-first", "a position is known before clients come", scenarios.ONE),
    Rule("D-owner-closes", "a higher fence or epoch closes everybody", scenarios.TAKEOVER),
    Rule("D-outage-stays", "a lease that merely ran out closes nobody", scenarios.LASTING_OUTAGE),
    Rule("D-session-epoch", "a session's id has the epoch", scenarios.TAKEOVER, careless.session_without_epoch),
    Rule(
        "D-session-sequence",
        "a delete applies up to its own sequence number",
        scenarios.LATE_WRITES,
        careless.delete_whatever_the_sequence,
    ),
    Rule(
        "D-sweep-older",
        "a sweep removes sessions of earlier epochs only",
        scenarios.TAKEOVER,
        careless.sweep_whatever_the_epoch,
    ),
    Rule(
        "D-mark-passed",
        "an exhausted read passes over marks of what is gone",
        scenarios.RETRACTED,
        careless.read_waits_for_every_mark,
    ),
    Rule("D-overrun-reads", "who fell out of retention catches up", scenarios.RETENTION),
    Rule(
        "D-overrun-position",
        "out of retention, first a new position, then everybody catches up",
        scenarios.RETENTION_TWO,
    ),
    Rule(
        "D-gap-read", "a read answered before a gap is not enough", scenarios.RETENTION_TWO, careless.read_ignores_gaps
    ),
    Rule("D-gap-ask", "what was asked before a gap is not enough", scenarios.RETENTION, careless.arrival_ignores_gaps),
    Rule("D-early-no-cursor", "what is sent early moves no cursor", scenarios.OUTAGE, careless.early_moves_the_cursor),
    Rule(
        "D-early-any-state",
        "what is sent early goes to a connection in any state",
        scenarios.LASTING_OUTAGE_TWO,
        careless.early_only_where_live,
    ),
    Rule("D-early-order", "windows are sent early in the order of their offsets", scenarios.LASTING_OUTAGE_TWO),
    Rule("D-stub-unseen", "reads do not see stubs", scenarios.OUTAGE, careless.stub_with_a_place),
    Rule("D-stub-completed", "an insert completes a stub", scenarios.OUTAGE),
    Rule("D-ack-sent", "only what was sent can be acknowledged", scenarios.LIAR, careless.acknowledge_anything),
    Rule(
        "D-retracted-first",
        "what was retracted before it was stored is not emitted",
        scenarios.AT_ONCE,
        careless.emit_what_was_retracted,
    ),
    Rule(
        "D-retract-own", "a stub retracts only what is of its sender", scenarios.AT_ONCE, careless.anybody_may_retract
    ),
    Rule("D-outage-again", "after an outage the lane goes back and runs in full", scenarios.OUTAGE),
    Rule(
        "D-commit-prefix", "only an acknowledged prefix is committed", scenarios.OUTAGE, careless.commit_what_is_put_off
    ),
    Rule("D-given-up", "what was given up is never held again", scenarios.ZOMBIE, careless.hold_again),
    Rule(
        "D-emit-again",
        "what was delivered lately is emitted again",
        scenarios.HALF_EMITTED,
        careless.emit_only_what_is_pending,
    ),
]
