"""What a gateway notes of who is here: the latest word for each user, in order; each write has its own sequence."""

from pymongo import DeleteOne, UpdateOne

from clarion.store.mailboxes import Lease
from services.gateway.presence import BATCH, Notes

LEASE = Lease(mailbox=3, owner="me", epoch=7, renewals=0)


def test_a_later_note_replaces_an_earlier_one_and_moves_to_the_end() -> None:
    notes = Notes(LEASE)
    for user, is_present in (("ann", True), ("bob", True), ("ann", False)):
        notes.note(user, is_present)
    users, writes = notes.take()
    assert users == ["bob", "ann"]
    assert [type(write) for write in writes] == [UpdateOne, DeleteOne]
    assert not notes.wanted


def test_sequences_grow_from_write_to_write_and_name_mailbox_and_epoch() -> None:
    notes = Notes(LEASE)
    notes.note("ann", True)
    _, (present,) = notes.take()
    notes.note("ann", False)
    _, (absent,) = notes.take()
    key = {"user": "ann", "mailbox": 3, "epoch": 7}
    assert isinstance(present, UpdateOne)
    assert present._filter == {"_id": key}
    assert isinstance(present._doc, dict)
    assert present._doc["$max"] == {"sequence": 1}
    assert absent._filter == {"_id": key, "sequence": {"$lte": 2}}


def test_a_storm_is_written_in_bounded_batches() -> None:
    notes = Notes(LEASE)
    for number in range(BATCH + 1):
        notes.note(f"user-{number}", True)
    assert len(notes.take()[1]) == BATCH
    assert len(notes.take()[1]) == 1
