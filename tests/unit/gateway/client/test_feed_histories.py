"""A connection's feed against a model of the store: complete, in order, never twice, within its credit."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.limits import (
    CREDIT_BYTES,
    CREDIT_ITEMS,
    EARLY_BYTES,
    EARLY_ITEMS,
)
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import START, CatchUpRead, Feed, LookBack
from tests.unit.gateway.client.feeds import NOW, item


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
