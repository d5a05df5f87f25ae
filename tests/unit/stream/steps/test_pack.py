"""Items → delivery records for each mailbox: complete, in order, small."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Early, Unstored
from services.stream.steps.pack import pack, runs

USERS = ["ann", "bob", "cleo"]
items = st.lists(st.tuples(st.sampled_from(USERS), st.integers(2, 20_000)), max_size=160)
routes = st.dictionaries(st.sampled_from(USERS), st.sets(st.integers(0, 3), min_size=1), max_size=3)


class Routed(NamedTuple):
    id: str
    recipient: str
    ord: int
    body: bytes


def routed(wanted: list[tuple[str, int]]) -> list[Routed]:
    return [Routed(f"id-{n}", user, n, b'"' + b"x" * (size - 2) + b'"') for n, (user, size) in enumerate(wanted)]


@given(items, routes)
def test_each_mailbox_gets_what_its_users_are_to_get_in_order(
    wanted: list[tuple[str, int]], mailboxes: dict[str, set[int]]
) -> None:
    got: dict[int, list[int]] = {}
    for mailbox, record in pack(routed(wanted), Lane.LOW, mailboxes):
        assert 1 <= len(record.items) <= limits.ITEMS_PER_RECORD
        size = len(deliveries.encode(record))
        assert size <= limits.ITEMS_BYTES or len(record.items) == 1
        got.setdefault(mailbox, []).extend(item.ord[1] for item in record.items)
    for mailbox in range(4):
        expected = [n for n, (user, _) in enumerate(wanted) if mailbox in mailboxes.get(user, ())]
        assert got.get(mailbox, []) == expected


@given(items)
def test_runs_hold_everything_in_order_within_the_limits(wanted: list[tuple[str, int]]) -> None:
    early = [Early(item.recipient, Lane.LOW, item.id, Raw(item.body)) for item in routed(wanted)]
    made = list(runs(early))
    assert [item for run in made for item in run] == early
    for run in made:
        assert 1 <= len(run) <= limits.ITEMS_PER_RECORD
        assert len(deliveries.encode(Unstored(run))) <= limits.ITEMS_BYTES or len(run) == 1


def test_a_body_arrives_byte_for_byte() -> None:
    body = b'{"a": [1,  2], "b":"\\u00fc"}'
    ((_, record),) = pack([Routed("019ac000-0000-7000-8000-000000000000", "ann", 5, body)], Lane.HIGH, {"ann": {2}})
    decoded = deliveries.decode(deliveries.encode(record))
    assert isinstance(decoded, deliveries.Items)
    assert bytes(decoded.items[0].body) == body
