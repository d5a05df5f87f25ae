"""Frames and records: round trips, bounds, and bytes of every release that must stay readable."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import limits, order, times
from clarion.contracts.api import frames
from clarion.contracts.ids import idempotent_id, new_id
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.records import deliveries, notification, receipts
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names, declare
from services.stream.steps import fast_decode

RELEASES = Path(__file__).parents[3] / "data" / "records"
READERS = {
    "notification": notification.decode,
    "delivery": deliveries.decode,
    "receipt": receipts.decode,
    "client": frames.decode_client,
    "server": frames.decode_server,
}


@pytest.mark.parametrize("path", sorted(RELEASES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_recorded_bytes_stay_decodable(path: Path) -> None:
    """`<kind>-<release>.jsonl`: one value a line, written by that release and never changed."""
    read = READERS[path.stem.partition("-")[0]]
    lines = path.read_bytes().splitlines()
    assert lines
    for line in lines:
        read(line)


cursors = st.dictionaries(st.sampled_from(LANES), st.tuples(st.integers(0, 2**15 - 1), st.integers(0, 2**48 - 1)))
uuids = st.uuids(version=4).map(str)
client_frames = st.one_of(
    st.builds(frames.Resume, cursors=cursors, since=st.none() | st.just("2026-11-24T01:02:03.004Z")),
    st.builds(frames.Ack, tag=st.integers(1, 2**53)),
    st.builds(frames.Read, ids=st.lists(uuids, min_size=1, max_size=5)),
    st.builds(frames.Pong),
)


@given(client_frames)
def test_a_client_frame_survives_the_wire(frame: frames.ClientFrame) -> None:
    assert frames.decode_client(frames.encode(frame)) == frame


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"op":"nonsense"}',
        b'{"op":"ack"}',
        b'{"op":"ack","tag":0}',
        b'{"op":"ack","tag":1,"more":1}',
        b'{"op":"read","ids":[]}',
        b'{"op":"read","ids":["not-an-id"]}',
        b'{"op":"resume","cursors":{"huge":[0,1]}}',
        b'{"op":"resume","cursors":{"low":[-1,1]}}',
        b'{"op":"resume","cursors":{"low":[0,281474976710656]}}',
    ],
)
def test_a_malformed_client_frame_is_a_decode_error(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        frames.decode_client(text)


@given(st.integers(0, 2**15 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**15 - 1), st.integers(0, 2**48 - 1))
def test_ord_sorts_like_its_parts_and_fits_a_bson_integer(g1: int, o1: int, g2: int, o2: int) -> None:
    one, two = order.pack(g1, o1), order.pack(g2, o2)
    assert order.unpack(one) == (g1, o1)
    assert (one < two) == ((g1, o1) < (g2, o2))
    assert 0 <= one <= order.MAX_ORD


@given(st.text(), st.none() | st.datetimes(timezones=st.just(UTC)), st.dictionaries(st.text(), st.text()))
def test_an_item_before_it_is_stored_is_the_same_without_its_place(
    message: str, expires_at: datetime | None, data: dict[str, str]
) -> None:
    item = Notification(
        id=new_id(), type="t", message=message, recipient="ann", sender='","ord":[', data=data, expires_at=expires_at,
        created_at=times.now(),
    )  # fmt: skip
    body = deliveries.body(item, Lane.URGENT, order.pack(3, 77))
    stored, early = (
        frames.decode_item(msgspec.Raw(body)),
        frames.decode_item(msgspec.Raw(deliveries.unstored_body(body))),
    )
    assert (early.unstored, early.ord, stored.unstored, stored.ord) == (True, None, False, (3, 77))
    assert msgspec.structs.replace(early, unstored=False, ord=(3, 77)) == stored


def test_a_gateway_is_told_what_a_stream_of_its_own_has_handled() -> None:
    told = deliveries.Control("ack", "ann", session="3.7.x", tag=4)
    assert deliveries.decode(deliveries.encode(told)) == told


def test_a_gateway_is_told_of_a_disconnect_with_its_moment() -> None:
    told = deliveries.Control("disconnect", "ann", times.now())
    assert deliveries.decode(deliveries.encode(told)) == told
    with pytest.raises(notification.Invalid):
        deliveries.decode(b'{"kind":"control","op":"disconnect","user":"ann","before":"soon"}')


def test_an_idempotency_key_is_per_sender_and_recipient() -> None:
    ids = {idempotent_id(s, r, k) for s, r, k in [("a", "b", "c"), ("a", "bc", ""), ("ab", "", "c"), ("b", "a", "c")]}
    assert len(ids) == 4
    assert idempotent_id("a", "b", "c") == idempotent_id("a", "b", "c")
    assert new_id() != new_id()


@pytest.mark.parametrize("name", ["id", "type"])
def test_nothing_stands_after_an_id_or_a_type_not_even_a_line_break(name: str) -> None:
    item = {"type": "a", "message": "m", "recipient": "r", "sender": "s", "id": new_id()}
    assert notification.decode(msgspec.json.encode(item)).id == item["id"]
    for read in (notification.decode, fast_decode.decode):
        with pytest.raises(notification.Invalid):
            read(msgspec.json.encode(item | {name: item[name] + "\n"}))


def test_times_are_cut_to_milliseconds_and_read_back() -> None:
    assert times.rfc3339(times.from_ms(1_795_000_000_007)) == "2026-11-18T11:06:40.007Z"
    assert times.now().microsecond % 1000 == 0


def test_a_record_timestamp_that_no_calendar_has_fails_nothing() -> None:
    assert times.rfc3339(times.from_ms(-1)) == "1970-01-01T00:00:00.000Z"
    assert times.rfc3339(times.from_ms(2**63 - 1)) == "9999-12-31T23:59:59.999Z"


def test_topics_are_declared_once_with_bounds() -> None:
    topics = declare(Names("p-"), lane_partitions=4, delivery_partitions=8, replication=3)
    assert len({topic.name for topic in topics}) == len(topics) == 9
    assert all(topic.name.startswith("p-") and "retention.ms" in topic.config for topic in topics)
    assert {topic.partitions for topic in topics if "deliveries" in topic.name} == {8}
    assert Names().notifications(Lane.URGENT) == "notifications.urgent"
    assert Names("p-").group("low") == "p-clarion.low"
    assert min(int(topic.config.get("max.message.bytes", "1048576")) for topic in topics) > limits.RECORD_BYTES


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_what_is_acknowledged_is_on_two_brokers_if_it_can(replication: int, in_sync: str) -> None:
    topics = declare(Names(), lane_partitions=4, delivery_partitions=8, replication=replication)
    assert {topic.config["min.insync.replicas"] for topic in topics} == {in_sync}


def test_what_is_stored_outlasts_what_kafka_keeps_of_it() -> None:
    """Or a redelivery would bring back what was purged: a record may be held, released late, and read again."""
    names = Names()
    kept = {
        topic.name: int(topic.config["retention.ms"])
        for topic in declare(names, lane_partitions=4, delivery_partitions=8, replication=3)
    }
    lanes = [kept[names.notifications(lane)] for lane in LANES]
    assert max(lanes) + kept[names.scheduled] < limits.KEEP_DAYS * limits.DAY_S * 1000
