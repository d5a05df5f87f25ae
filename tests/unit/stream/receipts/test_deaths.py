"""Whatever lies on the topic of dead letters, each record of it is a death that can be kept."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.contracts import limits
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.store.dead_letters.letters import Death
from services.stream.receipts.deaths import deaths_of
from tests.unit.records import TIMESTAMP_MS, batch, record

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
VALUE = b'{"id": "019B7D3E-5C00-7ABC-8DEF-0123456789AB", "recipient": "ann", "sender": "calls", "type": "a", "x": [}'


def letter(value: bytes = VALUE, **fields: Any) -> DeadLetter:
    known: dict[str, Any] = {
        "value": value, "key": b"bob", "reason": Reason.INVALID, "error": "no", "topic": "notifications.low",
        "partition": 2, "offset": 7, "attempts": 1, "first_seen": NOW, "last_seen": NOW, "own": [("x", b"y")],
    }  # fmt: skip
    return DeadLetter(**known | fields)


def death(of: DeadLetter) -> Death:
    (found,) = deaths_of([batch([of.payload()], headers=of.headers())])
    return found


def test_a_dead_letter_is_kept_under_the_place_of_its_record() -> None:
    found = death(letter(b'{"id": "019B7D3E-5C00-7ABC-8DEF-0123456789AB", "recipient": "ann", "sender": 5}'))
    assert found.id.startswith("notifications.low/2/7/")
    assert found.at == datetime.fromtimestamp(TIMESTAMP_MS / 1000, UTC)
    assert (found.facts.reason, found.facts.error, found.facts.attempts) == (Reason.INVALID, "no", 1)
    assert found.content.headers == [("x", b"y")]
    assert found.named.fields() == {"notification": "019b7d3e-5c00-7abc-8def-0123456789ab", "recipient": "ann"}
    assert found.whole


def test_the_same_death_makes_the_same_letter_wherever_it_lies() -> None:
    one, other = letter(), letter(last_seen=NOW.replace(hour=13))
    assert death(one).id == death(other).id
    assert death(letter(b"other")).id != death(one).id  # at the same place of a topic that was made anew
    assert death(letter(offset=-1)).id != death(letter(b"other", offset=-1)).id  # what Kafka refused has no offset


def test_of_a_record_that_is_no_json_the_key_names_the_recipient() -> None:
    assert death(letter()).named.fields() == {"recipient": "ann"}


def test_a_value_that_was_cut_is_not_whole() -> None:
    found = death(letter(b"x" * (limits.DEAD_LETTER_BYTES + 1)))
    assert not found.whole
    assert len(found.content.value) == limits.DEAD_LETTER_BYTES


def test_what_is_no_dead_letter_is_kept_as_foreign() -> None:
    large = b"x" * (limits.DEAD_LETTER_BYTES + 1)
    found = list(deaths_of([batch([b"junk", None, large], first=3, headers=[("reason", b"mine")])]))
    assert [one.facts.reason for one in found] == [Reason.FOREIGN] * 3
    assert [one.id for one in found] == [
        f"notifications.normal/0/{3 + n}/{sha256(value).hexdigest()[:8]}"
        for n, value in enumerate([b"junk", b"", large])
    ]
    assert [one.whole for one in found] == [True, True, False]
    assert found[0].content.headers == [("reason", b"mine")]


def test_records_that_cannot_be_read_are_kept_as_foreign() -> None:
    lost = Unreadable(4, 6, b"batch", "gzip is cut off", TIMESTAMP_MS)
    found = list(deaths_of([RecordBatch(Partition("dead-letters", 1), [], 0, 5, [lost])]))
    assert [(one.facts.reason, one.facts.error) for one in found] == [
        (Reason.FOREIGN, "offsets 4 to 6 cannot be read: gzip is cut off")
    ]


@given(
    st.none() | st.binary(max_size=60),
    st.lists(st.tuples(st.sampled_from(["reason", "topic", "letter", "x"]), st.none() | st.binary(max_size=40))),
)
def test_whatever_the_record_is_there_is_a_letter_of_it(value: Any, headers: Any) -> None:
    (found,) = deaths_of([RecordBatch(Partition("dead-letters", 0), [record(value, headers=headers)], 0, 0)])
    assert found.id
