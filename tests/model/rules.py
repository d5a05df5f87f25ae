"""The design's rules, each with a world in which leaving it out breaks a promise.

A rule of the model's own is left out by its name (`World.keeps`); one of the driven classes by a patch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pytest
from pymongo import DeleteOne, UpdateOne

from clarion.broker.consuming.commit_tracker import CommitTracker
from clarion.broker.consuming.ownership import Ownership
from clarion.contracts.api.status import State
from clarion.store import sessions
from clarion.store.notifications import Stored
from clarion.store.updates import stubs
from services.gateway.client.feed import Feed
from services.gateway.mailbox.read_progress import ReadProgress
from services.stream.steps import store
from tests.model.explorer import Found, explore
from tests.model.world import scenarios
from tests.model.world.scenario import Scenario

Break = Callable[[pytest.MonkeyPatch], None]

_found: Final[dict[str, Found]] = {}  # by the rule


@dataclass(frozen=True)
class Rule:
    """`says` as in the design; `without` leaves it out, by a patch or, if there is none, by its name."""

    says: str
    scenario: Scenario
    without: Break | None = None

    def broken(self, within_s: float) -> Found:
        """What is broken without it; found once, and remembered."""
        if self.says not in _found:
            _found[self.says] = self._explore(within_s)
        return _found[self.says]

    def _explore(self, within_s: float) -> Found:
        with pytest.MonkeyPatch.context() as patch:
            if self.without is not None:
                self.without(patch)
            return explore(
                replace(self.scenario, name=f"without: {self.says}", without=frozenset({self.says})), within_s
            )


# ---- patches


def _read_ignores_marks(patch: pytest.MonkeyPatch) -> None:
    read = Feed.read

    def careless(feed: Feed, issued: Any, items: Any, delivered: Any = ()) -> Any:
        send = read(feed, issued, items, delivered)
        if len(items) < issued.limit:
            feed._lanes[issued.lane].live = True
        return send

    patch.setattr(Feed, "read", careless)


def _read_waits_for_every_mark(patch: pytest.MonkeyPatch) -> None:
    read = Feed.read

    def strict(feed: Feed, issued: Any, items: Any, delivered: Any = ()) -> Any:
        return read(feed, replace(issued, mark=-1), items, delivered)

    patch.setattr(Feed, "read", strict)


def _read_ignores_gaps(patch: pytest.MonkeyPatch) -> None:
    read = Feed.read

    def careless(feed: Feed, issued: Any, items: Any, delivered: Any = ()) -> Any:
        return read(feed, replace(issued, falls=feed.falls), items, delivered)

    patch.setattr(Feed, "read", careless)


def _live_before_all_is_sent(patch: pytest.MonkeyPatch) -> None:
    read = Feed.read

    def careless(feed: Feed, issued: Any, items: Any, delivered: Any = ()) -> Any:
        send = read(feed, issued, items, delivered)
        feed._lanes[issued.lane].live |= feed.ahead is not None
        return send

    patch.setattr(Feed, "read", careless)


def _arrival_ignores_marks(patch: pytest.MonkeyPatch) -> None:
    def careless(feed: Feed, asked: Any, pending: Any, delivered: Any) -> None:
        for lane in feed._lanes.values():
            lane.live = feed.is_live = True

    patch.setattr(Feed, "nothing_pending", careless)


def _arrival_ignores_gaps(patch: pytest.MonkeyPatch) -> None:
    nothing_pending = Feed.nothing_pending

    def careless(feed: Feed, asked: Any, pending: Any, delivered: Any) -> None:
        nothing_pending(feed, replace(asked, falls=feed.falls), pending, delivered)

    patch.setattr(Feed, "nothing_pending", careless)


def _only_pending_is_read(patch: pytest.MonkeyPatch) -> None:
    def since(feed: Feed) -> None:
        return None

    patch.setattr(Feed, "delivered_since", since)


def _since_moves_always(patch: pytest.MonkeyPatch) -> None:
    def advance(feed: Feed, caught_up: datetime | None) -> datetime:
        feed.since = max(feed.since, caught_up or feed.since)
        return feed.since

    patch.setattr(Feed, "advance_since", advance)


def _answers_are_always_fresh(patch: pytest.MonkeyPatch) -> None:
    def look(end: ReadProgress, answered_ms: int | None, is_at_end: bool) -> None:
        end.until_ms = answered_ms if is_at_end else end.until_ms

    patch.setattr(ReadProgress, "look", look)


def _early_moves_the_cursor(patch: pytest.MonkeyPatch) -> None:
    def moving(feed: Feed, items: Any) -> Any:
        push = list(items)
        for item in push:
            lane = feed._lanes[item.lane]
            lane.cursor = max(lane.cursor, int(item.id[-2:]))
        return push

    patch.setattr(Feed, "offer_early", moving)


def _session_without_epoch(patch: pytest.MonkeyPatch) -> None:
    def present(user: str, mailbox: int, epoch: int, sequence: int) -> UpdateOne:
        change = {"$set": {"user": user, "mailbox": mailbox, "epoch": epoch}, "$max": {"sequence": sequence}}
        return UpdateOne({"_id": {"user": user, "mailbox": mailbox}}, change, upsert=True)

    def absent(user: str, mailbox: int, epoch: int, sequence: int) -> DeleteOne:
        return DeleteOne({"_id": {"user": user, "mailbox": mailbox}, "sequence": {"$lte": sequence}})

    patch.setattr(sessions, "present", present)
    patch.setattr(sessions, "absent", absent)


def _delete_whatever_the_sequence(patch: pytest.MonkeyPatch) -> None:
    def absent(user: str, mailbox: int, epoch: int, sequence: int) -> DeleteOne:
        return DeleteOne({"_id": sessions._id(user, mailbox, epoch)})

    patch.setattr(sessions, "absent", absent)


def _commit_what_is_put_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CommitTracker, "shelve", CommitTracker.ack)


def _hold_again(patch: pytest.MonkeyPatch) -> None:
    def holds(ownership: Ownership, epoch: int, now: float) -> bool:
        return epoch == ownership.tracker.epoch and now - ownership._heard_at <= ownership.session_s

    patch.setattr(Ownership, "holds", holds)


def _emit_only_what_is_pending(patch: pytest.MonkeyPatch) -> None:
    def is_due_again(known: Stored, now: datetime) -> bool:
        return known.state is State.PENDING

    patch.setattr(store, "_is_due_again", is_due_again)


def _stub_with_a_place(patch: pytest.MonkeyPatch) -> None:
    acknowledged = stubs.acknowledged

    def seen(id_: str, user: str, at: Any) -> list[UpdateOne]:
        made, noted = acknowledged(id_, user, at)
        place = {"lane": "urgent", "ord": int(id_[-2:]), "body": b""}
        stub = made._doc["$setOnInsert"] | place  # type: ignore[index]
        return [UpdateOne({"_id": id_}, {"$setOnInsert": stub}, upsert=True), noted]

    patch.setattr(stubs, "acknowledged", seen)


def _emit_what_was_retracted(patch: pytest.MonkeyPatch) -> None:
    def is_retracted(*_: object) -> bool:
        return False

    patch.setattr(store, "_is_retracted", is_retracted)


def _anybody_may_retract(patch: pytest.MonkeyPatch) -> None:
    def is_retracted(_: object, known: Stored) -> bool:
        return bool(known.retracted_by)

    patch.setattr(store, "_is_retracted", is_retracted)


RULES: Final = [
    Rule("the session is written before the store is read", scenarios.ONE),
    Rule("what waits is asked once the session is stored", scenarios.ONE),
    Rule("a session is written for every connection", scenarios.SIBLINGS),
    Rule("each stage is first-in-first-out in a partition", scenarios.TWO),
    Rule("catching up reads what another device acknowledged", scenarios.TWO_DEVICES, _only_pending_is_read),
    Rule("live only when no mark exceeds the cursor", scenarios.TWO, _read_ignores_marks),
    Rule("live only when all that was read is sent", scenarios.CREDIT, _live_before_all_is_sent),
    Rule("live at once only when no mark exceeds the cursor", scenarios.ONE, _arrival_ignores_marks),
    Rule("`since` moves only while a connection is live", scenarios.HOUR_SOCKET, _since_moves_always),
    Rule("`since` moves only up to where the mailbox was read to its end", scenarios.HOUR_SOCKET),
    Rule("an answer is good for when the one before it came", scenarios.HOUR_SOCKET, _answers_are_always_fresh),
    Rule("the stream routes to every session it reads", scenarios.TAKEOVER),
    Rule("a gateway pushes whatever is for its rooms", scenarios.TAKEOVER),
    Rule("a new owner writes a fence", scenarios.CUT_OFF),
    Rule("a lease is confirmed between the fence and the first client", scenarios.NO_FENCE_YET),
    Rule("a position is known before clients come", scenarios.ONE),
    Rule("a higher fence or epoch closes everybody", scenarios.TAKEOVER),
    Rule("a lease that merely ran out closes nobody", scenarios.LASTING_OUTAGE),
    Rule("a session's id has the epoch", scenarios.TAKEOVER, _session_without_epoch),
    Rule("a delete applies up to its own sequence number", scenarios.LATE_WRITES, _delete_whatever_the_sequence),
    Rule("an exhausted read passes over marks of what is gone", scenarios.RETRACTED, _read_waits_for_every_mark),
    Rule("who fell out of retention catches up", scenarios.RETENTION),
    Rule("out of retention, first a new position, then everybody catches up", scenarios.RETENTION_TWO),
    Rule("a read answered before a gap is not enough", scenarios.RETENTION_TWO, _read_ignores_gaps),
    Rule("what was asked before a gap is not enough", scenarios.RETENTION, _arrival_ignores_gaps),
    Rule("what is sent early moves no cursor", scenarios.OUTAGE, _early_moves_the_cursor),
    Rule("reads do not see stubs", scenarios.OUTAGE, _stub_with_a_place),
    Rule("an insert completes a stub", scenarios.OUTAGE),
    Rule("what was retracted before it was stored is not emitted", scenarios.AT_ONCE, _emit_what_was_retracted),
    Rule("a stub retracts only what is of its sender", scenarios.AT_ONCE, _anybody_may_retract),
    Rule("after an outage the lane goes back and runs in full", scenarios.OUTAGE),
    Rule("only an acknowledged prefix is committed", scenarios.OUTAGE, _commit_what_is_put_off),
    Rule("what was given up is never held again", scenarios.ZOMBIE, _hold_again),
    Rule("what was delivered lately is emitted again", scenarios.HALF_EMITTED, _emit_only_what_is_pending),
]
