"""Production classes with one rule of delivery left out: what `rules.py` patches in for a rule that they keep."""

from dataclasses import replace
from datetime import datetime
from typing import Any

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


def read_ignores_marks(patch: pytest.MonkeyPatch) -> None:
    read = Feed.read

    def careless(feed: Feed, issued: Any, items: Any, delivered: Any = ()) -> Any:
        send = read(feed, issued, items, delivered)
        if len(items) < issued.limit:
            feed._lanes[issued.lane].live = True
        return send

    patch.setattr(Feed, "read", careless)


def read_waits_for_every_mark(patch: pytest.MonkeyPatch) -> None:
    read = Feed.read

    def strict(feed: Feed, issued: Any, items: Any, delivered: Any = ()) -> Any:
        return read(feed, replace(issued, high_water=-1), items, delivered)

    patch.setattr(Feed, "read", strict)


def read_ignores_gaps(patch: pytest.MonkeyPatch) -> None:
    read = Feed.read

    def careless(feed: Feed, issued: Any, items: Any, delivered: Any = ()) -> Any:
        return read(feed, replace(issued, falls=feed.falls), items, delivered)

    patch.setattr(Feed, "read", careless)


def live_before_all_is_sent(patch: pytest.MonkeyPatch) -> None:
    read = Feed.read

    def careless(feed: Feed, issued: Any, items: Any, delivered: Any = ()) -> Any:
        send = read(feed, issued, items, delivered)
        feed._lanes[issued.lane].live |= feed.ahead is not None
        return send

    patch.setattr(Feed, "read", careless)


def arrival_ignores_marks(patch: pytest.MonkeyPatch) -> None:
    def careless(feed: Feed, asked: Any, pending: Any, delivered: Any) -> None:
        for lane in feed._lanes.values():
            lane.live = feed.is_live = True

    patch.setattr(Feed, "nothing_pending", careless)


def arrival_ignores_gaps(patch: pytest.MonkeyPatch) -> None:
    nothing_pending = Feed.nothing_pending

    def careless(feed: Feed, asked: Any, pending: Any, delivered: Any) -> None:
        nothing_pending(feed, replace(asked, falls=feed.falls), pending, delivered)

    patch.setattr(Feed, "nothing_pending", careless)


def only_pending_is_read(patch: pytest.MonkeyPatch) -> None:
    def since(feed: Feed) -> None:
        return None

    patch.setattr(Feed, "delivered_since", since)


def since_moves_always(patch: pytest.MonkeyPatch) -> None:
    def advance(feed: Feed, caught_up: datetime | None) -> datetime:
        feed.since = max(feed.since, caught_up or feed.since)
        return feed.since

    patch.setattr(Feed, "advance_since", advance)


def answers_are_always_fresh(patch: pytest.MonkeyPatch) -> None:
    def look(end: ReadProgress, answered_ms: int | None, is_at_end: bool) -> None:
        end.until_ms = answered_ms if is_at_end else end.until_ms

    patch.setattr(ReadProgress, "look", look)


def early_moves_the_cursor(patch: pytest.MonkeyPatch) -> None:
    def moving(feed: Feed, items: Any) -> Any:
        push = list(items)
        for item in push:
            lane = feed._lanes[item.lane]
            lane.cursor = max(lane.cursor, int(item.id[-2:]))
        return push

    patch.setattr(Feed, "offer_early", moving)


def early_only_where_live(patch: pytest.MonkeyPatch) -> None:
    offer_early = Feed.offer_early

    def choosy(feed: Feed, items: Any) -> Any:
        return offer_early(feed, items) if feed.is_live else []

    patch.setattr(Feed, "offer_early", choosy)


def acknowledge_anything(patch: pytest.MonkeyPatch) -> None:
    ack = Feed.ack

    def trusting(feed: Feed, tag: int) -> Any:
        return ack(feed, min(tag, feed.tag))

    patch.setattr(Feed, "ack", trusting)


def session_without_epoch(patch: pytest.MonkeyPatch) -> None:
    def present(user: str, mailbox: int, epoch: int, sequence: int) -> UpdateOne:
        change = {"$set": {"user": user, "mailbox": mailbox, "epoch": epoch}, "$max": {"sequence": sequence}}
        return UpdateOne({"_id": {"user": user, "mailbox": mailbox}}, change, upsert=True)

    def absent(user: str, mailbox: int, epoch: int, sequence: int) -> DeleteOne:
        return DeleteOne({"_id": {"user": user, "mailbox": mailbox}, "sequence": {"$lte": sequence}})

    patch.setattr(sessions, "present", present)
    patch.setattr(sessions, "absent", absent)


def delete_whatever_the_sequence(patch: pytest.MonkeyPatch) -> None:
    def absent(user: str, mailbox: int, epoch: int, sequence: int) -> DeleteOne:
        return DeleteOne({"_id": sessions._id(user, mailbox, epoch)})

    patch.setattr(sessions, "absent", absent)


def sweep_whatever_the_epoch(patch: pytest.MonkeyPatch) -> None:
    async def sweep(documents: Any, mailbox: int, epoch: int) -> None:
        await documents.delete_many({"mailbox": mailbox})

    patch.setattr(sessions, "sweep", sweep)


def commit_what_is_put_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CommitTracker, "shelve", CommitTracker.ack)


def hold_again(patch: pytest.MonkeyPatch) -> None:
    def holds(ownership: Ownership, epoch: int, now: float) -> bool:
        return epoch == ownership.tracker.ownership_epoch and now - ownership._heard_at <= ownership.session_s

    patch.setattr(Ownership, "holds", holds)


def emit_only_what_is_pending(patch: pytest.MonkeyPatch) -> None:
    def is_due_again(known: Stored, now: datetime) -> bool:
        return known.state is State.PENDING

    patch.setattr(store, "_is_due_again", is_due_again)


def stub_with_a_place(patch: pytest.MonkeyPatch) -> None:
    acknowledged = stubs.acknowledged

    def seen(id_: str, user: str, at: Any) -> list[UpdateOne]:
        made, noted = acknowledged(id_, user, at)
        place = {"lane": "urgent", "ord": int(id_[-2:]), "body": b""}
        stub = made._doc["$setOnInsert"] | place  # type: ignore[index]
        return [UpdateOne({"_id": id_}, {"$setOnInsert": stub}, upsert=True), noted]

    patch.setattr(stubs, "acknowledged", seen)


def emit_what_was_retracted(patch: pytest.MonkeyPatch) -> None:
    def is_retracted(*_: object) -> bool:
        return False

    patch.setattr(store, "_is_retracted", is_retracted)


def anybody_may_retract(patch: pytest.MonkeyPatch) -> None:
    def is_retracted(_: object, known: Stored) -> bool:
        return bool(known.retracted_by)

    patch.setattr(store, "_is_retracted", is_retracted)
