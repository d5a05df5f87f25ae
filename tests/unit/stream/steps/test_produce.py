"""A record that Kafka refuses for its size becomes a dead letter with all that it had."""

from aiokafka.errors import MessageSizeTooLargeError

from clarion.broker.send_each import Refused
from clarion.contracts.records.dead_letters import Reason
from services.stream.steps.produce import _letter


def test_a_refused_record_keeps_its_headers() -> None:
    record = {"topic": "notifications.low", "key": b"ann", "value": b"x", "headers": [("traceparent", b"t")]}
    letter = _letter(Refused(record, MessageSizeTooLargeError()))
    assert (letter.reason, letter.offset, letter.headers()[-1]) == (Reason.TOO_LARGE, -1, ("traceparent", b"t"))
