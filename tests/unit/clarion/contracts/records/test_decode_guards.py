"""Whatever a record of ours says, its decoder refuses it as documented, or every step after it takes it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo import UpdateMany, UpdateOne

from clarion.contracts import limits, order
from clarion.contracts.api import frames
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, receipts
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.deliveries import Addressed, Control, Early, Fence, Items, Sync, Unstored
from clarion.contracts.records.notification import Invalid
from clarion.contracts.records.receipts import Op, Receipt
from clarion.store.updates import early_retractions
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import START
from services.gateway.delivery import latency
from services.gateway.delivery.rooms import Rooms
from services.stream.receipts.fold import fold
from services.stream.receipts.worker import decode_receipts
from services.stream.scheduler.decode import decode_plans
from tests.unit.gateway.devices import device
from tests.unit.records import batch

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ID = new_id()
MOMENTS = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "2026-11-29T12:00:00.123456Z",
    "2026-11-30T11:00:00+05:30",
    "2026-12-01T12:00:01Z",
    "2099-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
]
odd: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 2**15, 2**31, 2**48, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=200),
    st.sampled_from([*MOMENTS, "", "\x00", "x" * 129, "x" * 40_000, ID.upper(), f"{{{ID}}}", "zzzzzzzz-zzzz-7zzz"]),
    st.lists(st.text(max_size=40), max_size=3),
    st.lists(st.just(ID), max_size=600),
    st.dictionaries(st.text(max_size=5), st.none(), max_size=3),
)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Nearly right: each field is as it should be, something odd, or missing."""
    return st.fixed_dictionaries({}, optional={name: st.one_of(good, odd) for name, good in fields.items()})


bodies = st.fixed_dictionaries({"id": st.just(ID), "data": odd}) | odd
addressed = objects(
    recipient=st.just("ann"),
    lane=st.sampled_from(list(Lane)),
    ord=st.lists(st.integers(-1, 2**49), min_size=2, max_size=2),
    id=st.just(ID) | st.just("x" * 36),
    body=bodies,
)
ops = st.sampled_from([str(op) for op in Op])
wild_receipts = objects(
    v=st.just(1),
    user=st.just("ann"),
    op=ops,
    ids=st.lists(st.just(ID), min_size=1, max_size=3),
    at=st.sampled_from(MOMENTS),
    session=st.none() | st.text(),
    unstored=st.booleans(),
    folded=st.booleans(),
    unfound=st.none() | objects(sender=st.just("calls")),
)
wild_deliveries = st.one_of(
    objects(kind=st.sampled_from(["items", "unstored"]), items=st.lists(addressed, max_size=3)),
    objects(kind=st.just("sync"), recipient=st.just("ann"), op=ops, ids=st.just([ID]), unread=st.integers(0, 100)),
    objects(kind=st.just("fence"), epoch=st.integers(), owner=st.text()),
    objects(
        kind=st.just("control"),
        op=st.sampled_from(["disconnect", "ack"]),
        user=st.just("ann"),
        before=st.sampled_from(MOMENTS),
        session=st.text(),
        tag=st.integers(),
    ),
)
wild_notifications = objects(
    type=st.just("t"),
    message=st.just("m"),
    recipient=st.just("ann"),
    sender=st.just("s"),
    id=st.just(ID),
    created_at=st.sampled_from(MOMENTS),
    expires_at=st.sampled_from(MOMENTS),
    deliver_at=st.sampled_from(MOMENTS),
    collapse_key=st.just("k"),
    data=st.dictionaries(st.text(max_size=3), odd, max_size=3),
)
RAW = [
    None,
    b"",
    b"null",
    b'"\\ud800"',
    b"\xff",
    b"[" * 100_000 + b"]" * 100_000,
    b'{"kind":"items","items":[{"body":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
]


def encoded(wild: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[bytes | None]:
    return wild.map(msgspec.json.encode) | st.binary(max_size=50) | st.sampled_from(RAW)


@given(st.lists(encoded(wild_receipts), max_size=5))
def test_every_receipt_can_be_written_or_is_a_dead_letter(values: list[bytes | None]) -> None:
    found, dead = decode_receipts([batch(values)], NOW)
    assert len(found) + len(dead) == len(values)
    assert all(letter.error for letter in dead)
    folded = fold(said.receipt for said in found)
    noted = [
        write for one in early_retractions.retractions(folded.unfound) for write in early_retractions.writes(one, NOW)
    ]
    for write in (*noted, *(write for change in folded.changes for write in change.writes())):
        assert isinstance(write, UpdateOne | UpdateMany)
        assert len(bson.encode({"q": write._filter, "u": write._doc})) < 100 * limits.KIB
    for (user, op), ids in folded.touched.items():
        deliveries.encode(Sync(user, op, ids, 0))


@given(encoded(wild_deliveries))
def test_every_delivery_is_taken_or_refused_as_invalid(value: bytes | None) -> None:
    try:
        record = deliveries.decode(value)
    except Invalid:
        return
    rooms = Rooms(1)
    connection, written = device("ann")
    assert rooms.join(connection)
    match record:
        case Items():
            offered = [
                (a.recipient, OutgoingItem(a.id, a.lane, order.pack(*a.ord), bytes(a.body))) for a in record.items
            ]
            list(rooms.push(offered, NOW))
            latency.observe(record.items)
        case Unstored():
            connection.state = ConnectionState.GREETED
            rooms.push_early(
                [(e.recipient, OutgoingItem(e.id, e.lane, START, bytes(e.body), False)) for e in record.items], NOW
            )
        case Sync():
            rooms.sync(record.recipient, frames.ServerSync(record.op, record.ids, record.unread))
        case Control() | Fence():
            pass
    for lane in connection.feed._lanes.values():
        assert max(lane.cursor, lane.high_water) <= order.MAX_ORD
    for frame in written:
        assert isinstance(frame, frames.Batch | frames.ServerSync)


@given(st.lists(encoded(wild_notifications), max_size=5))
def test_every_scheduled_record_can_be_written_or_is_dead(
    values: list[bytes | None],
) -> None:
    plans = decode_plans([batch(values)], 0, 1, NOW)
    for plan in plans.by_id.values():
        bson.encode(plan.document(NOW))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"at": "9999-12-31T23:59:59Z"}, "/at"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "/at"),
        ({"at": "2026-12-01T12:00:01Z"}, "/at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "/at"),
        ({"at": "2026-11-29T12:00:00"}, "at"),
        ({"ids": ["x" * 36]}, "/ids"),
        ({"ids": [ID[:20], ID[20:]]}, "/ids"),
        ({"ids": [ID] * 501}, "ids"),
        ({"user": ""}, "user"),
        ({"user": "x" * 129}, "user"),
        ({"op": "eaten"}, "op"),
        ({"unfound": {"sender": "calls"}}, "unfound"),  # only of a retraction
        ({"unfound": {}, "op": "retracted", "ids": []}, "unfound"),
        ({"unfound": {}, "op": "retracted", "ids": [ID, ID]}, "unfound"),
        ({"unfound": {"sender": ""}, "op": "retracted"}, "sender"),
    ],
)
def test_a_receipt_outside_its_contract_is_a_dead_letter_by_name(change: dict[str, Any], says: str) -> None:
    good = {"user": "ann", "op": "read", "ids": [ID], "at": "2026-11-29T12:00:00Z"}
    assert decode_receipts([batch([msgspec.json.encode(good)])], NOW)[1] == []
    found, dead = decode_receipts([batch([msgspec.json.encode(good | change)])], NOW)
    assert found == []
    assert dead[0].reason in (Reason.INVALID, Reason.UNDECODABLE)
    assert says in dead[0].error


def test_a_receipt_by_a_clock_ahead_by_hours_is_believed() -> None:
    said = Receipt("ann", Op.READ, [ID], NOW + timedelta(hours=23))
    found, dead = decode_receipts([batch([receipts.encode(said)])], NOW)
    assert [one.receipt for one in found] == [said]
    assert not dead


BODY = b'{"id":"%b","message":"m"}' % ID.encode()


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"id":"\xff"}'},  # its client would close with 1007, at every try
        {"body": b'{"id":\n"x"}'},  # a line of an event stream ends there
        {"body": b"5"},
        {"id": "zzzzzzzz-zzzz-7zzz-8zzz-zzzzzzzzzzzz"},
        {"recipient": ""},
        {"ord": (0, 1 << 48)},  # a cursor there would make repeats of all that follows
        {"ord": (-1, 0)},
    ],
)
def test_an_item_that_would_spoil_its_clients_is_refused(change: dict[str, Any]) -> None:
    good = {"recipient": "ann", "lane": Lane.LOW, "ord": (0, 1), "id": ID, "body": BODY}
    assert deliveries.decode(_items(good)) is not None
    with pytest.raises(Invalid):
        deliveries.decode(_items(good | change))
    early: dict[str, Any] = {name: value for name, value in (good | change).items() if name != "ord"}
    early["body"] = msgspec.Raw(early["body"])
    if "ord" not in change:
        with pytest.raises(Invalid):
            deliveries.decode(deliveries.encode(Unstored([Early(**early)])))


def _items(fields: dict[str, Any]) -> bytes:
    more: dict[str, Any] = {**fields, "body": msgspec.Raw(fields["body"])}
    return deliveries.encode(Items([Addressed(**more)]))
