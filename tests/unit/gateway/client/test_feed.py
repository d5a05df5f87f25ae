"""One connection's feed against a model of the store: complete, in order, never twice, within its credit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.limits import (
    CREDIT_BYTES,
    CREDIT_ITEMS,
    CREDIT_URGENT_ITEMS,
    EARLY_BYTES,
    EARLY_ITEMS,
    ITEMS_PER_RECORD,
)
from services.gateway.client.credit import OutgoingItem, ProtocolViolation
from services.gateway.client.feed import DELIVERED_REPLAYS, LOOK_BACK_MOST, START, CatchUpRead, Feed, LookBack

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def item(lane: Lane, ord_: int, size: int = 100) -> OutgoingItem:
    return OutgoingItem(f"{lane}-{ord_}", lane, ord_, b"x" * size)


class Deliveries(RuleBasedStateMachine):
    """The store first, then the offer, as the stream does it; reads are issued and answered with events in between."""

    def __init__(self) -> None:
        super().__init__()
        self.feed = Feed(opened=NOW, since=NOW)
        self.store: dict[Lane, list[OutgoingItem]] = {lane: [] for lane in LANES}
        self.to_offer: list[OutgoingItem] = []
        self.sent: dict[Lane, list[int]] = {lane: [] for lane in LANES}
        self.retracted: set[str] = set()
        self.asked: tuple[LookBack, set[Lane], dict[Lane, int]] | None = None
        self.issued: CatchUpRead | None = None
        self.counter = 0
        self.early = 0

    # ---- events

    @rule(lane=st.sampled_from(LANES), size=st.sampled_from([50, 5_000, 30_000]))
    def a_notification_is_stored(self, lane: Lane, size: int) -> None:
        self.counter += 1
        stored = item(lane, self.counter, size)
        self.store[lane].append(stored)
        self.to_offer.append(stored)

    @precondition(lambda self: self.to_offer)
    @rule(count=st.integers(1, 5))
    def the_mailbox_brings(self, count: int) -> None:
        run, self.to_offer = self.to_offer[:count], self.to_offer[count:]
        push, _ = self.feed.offer(run)
        self._send(push)

    @precondition(lambda self: self.counter)
    @rule(lane=st.sampled_from(LANES))
    def the_mailbox_repeats(self, lane: Lane) -> None:
        known = [one for one in self.store[lane] if one not in self.to_offer]
        push, _ = self.feed.offer(known[-2:])
        self._send(push)

    @rule(count=st.integers(1, 30), size=st.sampled_from([50, 5_000]))
    def some_come_before_they_are_stored(self, count: int, size: int) -> None:
        early = [OutgoingItem(f"early-{n}", Lane.URGENT, START, b"x" * size, False) for n in range(count)]
        before = self.feed.next_read(), self.feed.is_live
        push = self.feed.offer_early(early)
        assert push == early[: len(push)]
        assert not (self.feed.paused and push)
        assert (self.feed.next_read(), self.feed.is_live) == before, "no cursor, no mark (D-early-no-cursor)"
        if push:
            self.feed.send(push)
            self.early += len(push)

    @precondition(lambda self: self.issued is None)
    @rule(most=st.sampled_from([0, 200]))
    def a_read_is_issued(self, most: int) -> None:
        self.issued = self.feed.next_read(most)

    @precondition(lambda self: self.issued is not None)
    @rule()
    def the_read_is_answered(self) -> None:
        issued, self.issued = self.issued, None
        assert issued is not None
        found = [one for one in self.store[issued.lane] if one.ord > issued.after][: issued.limit]
        self._send(self.feed.found(issued, found))

    @rule()
    def what_was_read_ahead_is_sent(self) -> None:
        self._send(self.feed.more() or [])

    @precondition(lambda self: self.feed.ahead)
    @rule()
    def what_was_read_ahead_is_let_go_of(self) -> None:
        self.feed.ahead = None

    @precondition(lambda self: self.asked is None)
    @rule()
    def a_crowd_is_asked_about(self) -> None:
        """Everybody who arrives at once: here, when all that is stored was delivered, the highest of each lane."""
        delivered = {lane: stored[-1].ord for lane, stored in self.store.items() if stored}
        pending = {lane for lane, stored in self.store.items() if stored and stored[-1].ord not in self.sent[lane]}
        if asked := self.feed.look_back():
            self.asked = asked, pending, delivered

    @precondition(lambda self: self.asked is not None)
    @rule()
    def nothing_was_pending(self) -> None:
        assert self.asked is not None
        self.feed.nothing_pending(*self.asked)
        self.asked = None

    @precondition(lambda self: self.feed.tag)
    @rule(data=st.data())
    def the_client_acknowledges(self, data: st.DataObject) -> None:
        self.feed.ack(data.draw(st.integers(1, self.feed.tag)))

    @rule(paused=st.booleans())
    def the_socket_fills_or_drains(self, paused: bool) -> None:
        self.feed.paused = paused

    @rule()
    def retention_is_overrun(self) -> None:
        self.to_offer.clear()
        self.feed.fall_behind()

    @precondition(lambda self: any(self.store.values()))
    @rule(data=st.data())
    def one_is_retracted(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from([lane for lane in LANES if self.store[lane]]))
        gone = data.draw(st.sampled_from(self.store[lane]))
        self.store[lane].remove(gone)
        self.retracted.add(gone.id)

    def _send(self, items: list[OutgoingItem]) -> None:
        if items:
            self.feed.send(items)
            for one in items:
                self.sent[one.lane].append(one.ord)

    # ---- what holds

    @invariant()
    def in_order_and_never_twice(self) -> None:
        for ords in self.sent.values():
            assert ords == sorted(set(ords))

    @invariant()
    def within_the_credit(self) -> None:
        items, size = self.feed.in_flight()
        assert items <= CREDIT_ITEMS + EARLY_ITEMS * (self.early > 0)
        assert size <= CREDIT_BYTES + EARLY_BYTES * (self.early > 0)

    def teardown(self) -> None:
        """With time and acknowledgements, everything that was not retracted is sent and every lane is live."""
        self.feed.paused = False
        if self.issued is not None:
            self.the_read_is_answered()
        while self.to_offer:
            self.the_mailbox_brings(5)
        for _ in range(10 * self.counter + 10):
            if self.feed.tag:
                self.feed.ack(self.feed.tag)
            self.issued = self.feed.next_read()
            if self.issued is None:
                break
            self.the_read_is_answered()
        assert self.feed.is_live
        for lane in LANES:
            assert {one.ord for one in self.store[lane]} <= set(self.sent[lane])


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)


def live_feed() -> Feed:
    feed = Feed(opened=NOW, since=NOW)
    while issued := feed.next_read():
        feed.read(issued, [])
    return feed


def push(feed: Feed, *items: OutgoingItem) -> list[OutgoingItem]:
    pushed, _ = feed.offer(items)
    if pushed:
        feed.send(pushed)
    return pushed


def test_reads_are_urgent_first() -> None:
    feed = Feed(opened=NOW, since=NOW)
    lanes: list[Lane] = []
    while issued := feed.next_read():
        lanes.append(issued.lane)
        feed.read(issued, [])
    assert lanes == list(LANES)


def test_bulk_without_credit_leaves_urgent_live() -> None:
    feed = live_feed()
    for n in range(CREDIT_ITEMS):
        push(feed, item(Lane.LOW, n))
    assert feed.in_flight()[0] == CREDIT_ITEMS - CREDIT_URGENT_ITEMS
    urgent = [push(feed, item(Lane.URGENT, n)) for n in range(CREDIT_URGENT_ITEMS + 1)]
    assert [len(pushed) for pushed in urgent] == [1] * CREDIT_URGENT_ITEMS + [0]


def test_a_mark_that_came_after_a_read_was_issued_keeps_the_lane_from_going_live() -> None:
    """D-live-mark: the read may have been answered before that item was stored."""
    feed = Feed(opened=NOW, since=NOW)
    issued = feed.next_read()
    assert issued is not None
    push(feed, item(issued.lane, 5))
    feed.read(issued, [])
    again = feed.next_read()
    assert again is not None
    assert (again.lane, again.high_water) == (issued.lane, 5)
    assert feed.read(again, [item(issued.lane, 5)]) == [item(issued.lane, 5)]


def test_an_exhausted_read_passes_over_marks_of_what_was_retracted() -> None:
    """D-mark-passed: else the connection would wait for ever for what does not come."""
    feed = Feed(opened=NOW, since=NOW)
    push(feed, item(Lane.URGENT, 5))
    issued = feed.next_read()
    assert issued is not None
    feed.read(issued, [])
    following = feed.next_read()
    assert following is not None
    assert following.lane is not Lane.URGENT
    assert push(feed, item(Lane.URGENT, 5)) == []


def found(feed: Feed, *items: OutgoingItem) -> list[OutgoingItem]:
    """What is sent of what a read finds."""
    issued = feed.next_read(500)
    assert issued is not None
    send = feed.found(issued, [one for one in items if one.lane is issued.lane])
    feed.send(send)
    return send


def test_what_was_found_beyond_the_credit_follows_when_credit_returns_and_the_lane_is_live_once_all_is_sent() -> None:
    feed, many = Feed(opened=NOW, since=NOW), [item(Lane.URGENT, n) for n in range(100)]
    assert found(feed, *many) == many[:CREDIT_ITEMS]
    assert feed.more() is None, "nothing without credit"
    push(feed, item(Lane.URGENT, 100))
    feed.ack(1)
    assert feed.more() == many[CREDIT_ITEMS:]
    again = feed.next_read()
    assert again is not None
    assert (again.lane, again.after, again.high_water) == (Lane.URGENT, 99, 100), (
        "what came meanwhile is marked, and read"
    )
    assert feed.more() is None


def test_what_was_kept_ahead_waits_while_urgent_is_to_be_read() -> None:
    feed = live_feed()
    feed.resume({Lane.LOW: START}, None)
    many = [item(Lane.LOW, n) for n in range(100)]
    assert found(feed, *many) == many[:ITEMS_PER_RECORD]
    left = CREDIT_ITEMS - ITEMS_PER_RECORD
    pushed = [push(feed, item(Lane.URGENT, n)) for n in range(left + 1)]
    assert [len(items) for items in pushed] == [1] * left + [0]
    feed.ack(feed.tag)
    assert feed.more() is None
    assert found(feed, item(Lane.URGENT, left)) == [item(Lane.URGENT, left)]
    issued = feed.next_read()
    assert issued is not None
    assert (issued.lane, issued.after) == (Lane.LOW, ITEMS_PER_RECORD - 1), "read again from there"


def test_what_was_missed_goes_out_by_the_frame_however_few_are_acknowledged_at_a_time() -> None:
    feed, many = live_feed(), [item(Lane.LOW, n) for n in range(500)]
    feed.resume({Lane.LOW: START}, None)
    for n in range(20):  # each in a frame of its own
        push(feed, item(Lane.HIGH, n))
    assert found(feed, *many) == many[: CREDIT_ITEMS - CREDIT_URGENT_ITEMS - 20]
    frames: list[int] = []
    for tag in range(1, 21):
        feed.ack(tag)
        if send := feed.more():
            frames.append(len(send))
            feed.send(send)
    assert frames == [], "not one for each of them"
    while len(frames) < 5:
        feed.ack(feed.tag)
        send = feed.more()
        assert send
        frames.append(len(send))
        feed.send(send)
    assert frames == [ITEMS_PER_RECORD] * 5


def test_what_is_urgent_and_missed_waits_for_no_full_frame() -> None:
    feed = live_feed()
    feed.resume({Lane.URGENT: START, Lane.LOW: START}, None)
    for n in range(CREDIT_ITEMS - CREDIT_URGENT_ITEMS - 1):
        push(feed, item(Lane.HIGH, n))
    assert found(feed, item(Lane.URGENT, 0)) == [item(Lane.URGENT, 0)]
    assert feed.next_read() is None, "one of credit is left for the others, and that is too little"


def test_of_large_items_only_as_many_are_kept_as_credit_takes_at_once() -> None:
    feed, large = Feed(opened=NOW, since=NOW), [item(Lane.URGENT, n, size=30_000) for n in range(20)]
    fitting = CREDIT_BYTES // 30_000
    assert found(feed, *large) == large[:fitting]
    assert feed.ahead is None
    feed.ack(feed.tag)
    issued = feed.next_read()
    assert issued is not None
    assert (issued.lane, issued.after) == (Lane.URGENT, fitting - 1), "not live: there is more to read"


def test_a_client_that_resumes_late_is_not_fed_from_what_was_read_for_it_as_a_fresh_one() -> None:
    """It has to look back further: what another device acknowledged in between was not asked for."""
    feed, many = Feed(opened=NOW, since=NOW), [item(Lane.URGENT, n) for n in range(100)]
    found(feed, *many)
    feed.resume({}, NOW - timedelta(minutes=5))
    feed.ack(feed.tag)
    assert feed.more() is None


def test_large_bodies_are_let_go_of_once_they_are_sent_and_count_until_they_are_acknowledged() -> None:
    """A client that stalls costs what its socket's buffers hold, not its credit in bytes too."""
    feed, large = live_feed(), item(Lane.HIGH, 1, size=5_000)
    assert push(feed, large) == [large]
    assert feed.in_flight() == (1, 5_000)
    assert feed.ack(1) == [OutgoingItem(large.id, large.lane, large.ord, b"")]
    assert feed.in_flight() == (0, 0)


def test_an_acknowledgement_of_what_was_never_sent_is_a_violation_and_a_late_one_is_nothing() -> None:
    feed = live_feed()
    push(feed, item(Lane.HIGH, 1))
    push(feed, item(Lane.HIGH, 2))
    assert [one.ord for one in feed.ack(2)] == [1, 2]
    assert feed.ack(1) == []
    with pytest.raises(ProtocolViolation):
        feed.ack(3)


def test_a_fresh_feed_looks_five_seconds_back_and_a_resumed_one_fifteen_minutes() -> None:
    fresh = Feed(opened=NOW, since=NOW)
    assert fresh.delivered_since() == NOW - timedelta(seconds=5)
    resumed = Feed(opened=NOW, since=NOW)
    resumed.resume({Lane.LOW: 7}, NOW - timedelta(hours=1))
    assert resumed.delivered_since() == NOW - timedelta(hours=1, minutes=15)
    resumed.delivered_replays = DELIVERED_REPLAYS
    assert resumed.delivered_since() is None
    reads = [issued for _ in LANES if (issued := resumed.next_read()) and not resumed.read(issued, [])]
    assert [read.after for read in reads] == [-1, -1, -1, 7]


def test_whoever_was_behind_and_is_live_may_fall_behind_once_more() -> None:
    """Of what other devices acknowledged, the limit is for each time: a device that is often slow misses nothing."""
    feed = live_feed()
    feed.fall_behind()
    issued = feed.next_read(2 * DELIVERED_REPLAYS)
    assert issued is not None
    many = [item(issued.lane, n) for n in range(issued.limit)]
    more: list[OutgoingItem] | None = feed.found(issued, many, range(issued.limit))
    sent: list[OutgoingItem] = []
    while more:
        sent += more
        feed.ack(feed.send(more))
        more = feed.more()
    assert sent == many[:DELIVERED_REPLAYS], "not more than that of what was kept ahead, either"
    assert feed.delivered_since() is None
    while issued := feed.next_read():
        feed.read(issued, [])
    assert feed.delivered_since() == NOW - timedelta(seconds=5)


def test_since_moves_only_while_every_lane_is_live() -> None:
    later = NOW + timedelta(minutes=1)
    feed = live_feed()
    assert feed.advance_since(None) == NOW
    feed.fall_behind()
    assert feed.advance_since(later) == NOW
    while issued := feed.next_read():
        feed.read(issued, [])
    assert feed.advance_since(later) == later
    assert feed.advance_since(NOW) == later


def test_whoever_has_nothing_waiting_goes_live_without_a_read() -> None:
    feed = Feed(opened=NOW, since=NOW)
    asked = feed.look_back()
    assert asked is not None
    assert asked == LookBack(NOW - timedelta(seconds=5), 0)
    feed.nothing_pending(asked, set(), {})
    assert feed.is_live
    assert push(feed, item(Lane.LOW, 1)) == [item(Lane.LOW, 1)]


def test_a_lane_in_which_something_is_pending_or_came_or_was_delivered_beyond_the_cursor_has_to_read() -> None:
    feed = Feed(opened=NOW, since=NOW)
    feed.resume({Lane.HIGH: 7, Lane.NORMAL: 7}, NOW)
    asked = feed.look_back()
    assert asked is not None
    push(feed, item(Lane.URGENT, 3))
    feed.nothing_pending(asked, {Lane.LOW}, {Lane.HIGH: 7, Lane.NORMAL: 8})
    reads = [issued.lane for _ in LANES if (issued := feed.next_read()) and not feed.read(issued, [])]
    assert reads == [Lane.URGENT, Lane.NORMAL, Lane.LOW]


def test_an_answer_is_worth_nothing_once_something_was_missed_or_the_client_looks_back_further() -> None:
    fell = Feed(opened=NOW, since=NOW)
    asked = fell.look_back()
    assert asked is not None
    fell.fall_behind()
    fell.nothing_pending(asked, set(), {})
    assert not fell.is_live
    resumed = Feed(opened=NOW, since=NOW)
    resumed.resume({}, NOW - timedelta(minutes=5))  # came late
    resumed.nothing_pending(asked, set(), {})
    assert not resumed.is_live


def test_a_read_that_was_under_way_when_something_was_missed_does_not_make_a_lane_live() -> None:
    feed = Feed(opened=NOW, since=NOW)
    issued = feed.next_read()
    assert issued is not None
    feed.fall_behind()  # what the mailbox lost may have been stored after the read was answered
    feed.read(issued, [])
    assert feed.next_read() == CatchUpRead(issued.lane, issued.after, issued.high_water, issued.limit, 1)


def test_a_client_that_was_away_for_long_is_not_asked_about() -> None:
    feed = Feed(opened=NOW, since=NOW)
    feed.resume({}, NOW - LOOK_BACK_MOST)
    assert feed.look_back() is None
