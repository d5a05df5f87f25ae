"""Records of mailboxes: what a gateway is told."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import order, times
from clarion.contracts.api import frames
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.notification import Notification


@given(st.text(), st.none() | st.datetimes(timezones=st.just(UTC)), st.dictionaries(st.text(), st.text()))
def test_an_unstored_item_is_the_stored_one_without_its_place(
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
