"""Every system is asked for the same: each request has the notification's key, text and recipient."""

import msgspec
import pytest

from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Submission
from tests.compare.arms import before, clarion, socketio
from tests.compare.workload import Publish, Said

SAID = Said("github.assigned", "Bob assigned you", Lane.HIGH, {"number": 7})
PUBLISH = Publish(0.0, "n000001", "steady-000", SAID)
REMINDER = Publish(0.0, "n000002", "steady-000", SAID, due_s=5.0)


def test_all_say_the_same() -> None:
    ours = msgspec.json.decode(clarion._body(PUBLISH))
    theirs = msgspec.json.decode(before._single("http://x", PUBLISH).body)
    for body in (ours, theirs, socketio._content(PUBLISH)):
        assert body["recipient"] == "steady-000"
        assert body["message"] == "Bob assigned you"
        assert body["data"] == {"number": 7, "key": "n000001"}
        assert body["priority"] == "high"


def test_clarion_takes_the_body_as_a_submission() -> None:
    assert msgspec.json.decode(clarion._body(REMINDER), type=Submission).deliver_at is not None


def test_only_reminders_are_held() -> None:
    assert "deliver_at" in msgspec.json.decode(before._single("http://x", REMINDER).body)
    assert "due_in_s" in socketio._content(REMINDER)
    assert "deliver_at" not in msgspec.json.decode(before._single("http://x", PUBLISH).body)
    assert "due_in_s" not in socketio._content(PUBLISH)


@pytest.mark.parametrize(("statuses", "accepted"), [((202, 202), [True, True]), ((503, 202), [False, True])])
def test_a_line_that_is_refused_is_not_accepted(statuses: tuple[int, int], accepted: list[bool]) -> None:
    answer = b"\n".join(b'{"line":%d,"status":%d}' % (line, status) for line, status in enumerate(statuses, 1))
    assert clarion._accepted(answer, 2) == accepted


def test_an_answer_to_a_single_one_needs_no_lines() -> None:
    for request in (before._single("http://x", PUBLISH), socketio._single("http://x", PUBLISH)):
        assert request.accepted(b'{"id":"a"}') == [True]
    assert socketio._batch("http://x", [PUBLISH, REMINDER]).accepted(b"{}") == [True, True]
