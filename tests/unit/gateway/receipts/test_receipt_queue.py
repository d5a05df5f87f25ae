"""Receipts that wait: none lost, a user's in order, fewer the more of them there are, never too many."""

from collections import defaultdict
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts.limits import IDS_PER_FRAME
from clarion.contracts.records.receipts import Op, Receipt
from services.gateway.receipts import receipt_queue
from services.gateway.receipts.receipt_queue import ReceiptQueue

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def receipt(
    user: str = "ann",
    op: Op = Op.DELIVERED,
    ids: int = 1,
    session: str = "s",
    traceparent: str | None = None,
    *,
    first: int = 0,
) -> Receipt:
    return Receipt(user, op, [f"{n}" for n in range(first, first + ids)], NOW, session, traceparent=traceparent)


STEPS = st.one_of(
    st.builds(
        receipt,
        st.sampled_from(["ann", "bob"]),
        st.sampled_from([Op.DELIVERED, Op.READ]),
        st.integers(1, 300),
        st.sampled_from(["s", "t"]),
        st.sampled_from([None, None, "00-1"]),
        first=st.integers(0, 10**9),
    ),
    st.integers(1, 3),
)


@given(st.lists(STEPS, max_size=40), st.booleans())
def test_each_users_receipts_come_out_once_and_in_order(steps: list[Receipt | int], comes_back: bool) -> None:
    queue = ReceiptQueue()
    put: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
    got: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)

    def note(of: defaultdict[str, list[tuple[object, ...]]], one: Receipt) -> None:
        of[one.user] += [(one.op, one.session, one.unstored, one.traceparent, id_) for id_ in one.ids]

    for step in [*steps, 100]:
        if isinstance(step, Receipt):
            note(put, step)
            assert queue.put(step)
            continue
        taken = queue.take(step)
        if comes_back:
            queue.give_back(taken)
            taken = queue.take(step)
        for one in taken:
            assert len(one.ids) <= IDS_PER_FRAME
            note(got, one)
    assert got == put
    assert len(queue) == 0


def test_waiting_receipts_merge_but_not_with_those_under_way() -> None:
    queue = ReceiptQueue()
    for n in range(50):
        queue.put(receipt("ann", first=n))
        queue.put(receipt("bob", first=n))
    assert [len(one.ids) for one in queue.take(1)] == [50]
    queue.put(receipt("ann", first=50))
    assert [len(one.ids) for one in queue.take(10)] == [50, 1]


def test_it_is_bounded_in_receipts_and_in_ids() -> None:
    queue = ReceiptQueue()
    taken = sum(queue.put(receipt(f"user-{n}")) for n in range(receipt_queue.CAPACITY + 5))
    assert taken == len(queue) == receipt_queue.CAPACITY
    queue = ReceiptQueue()
    taken = sum(queue.put(receipt("ann", ids=IDS_PER_FRAME, first=n)) for n in range(1_000))
    assert taken * IDS_PER_FRAME == receipt_queue.CAPACITY_IDS
    queue.take(1)
    assert queue.put(receipt("ann", ids=IDS_PER_FRAME))
