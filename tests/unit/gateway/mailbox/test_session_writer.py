"""What a gateway notes of who is here: the latest word for each user, in order; each write has its own sequence."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pymongo import DeleteOne, UpdateOne

from clarion.store.mailboxes import Lease
from services.gateway.mailbox.connect_lookup import ConnectLookup
from services.gateway.mailbox.session_writer import BATCH, SessionNotes, SessionWriter

LEASE = Lease(mailbox=3, owner="me", epoch=7, renewals=0)


def test_a_later_note_replaces_an_earlier_one_and_goes_last() -> None:
    notes = SessionNotes(LEASE)
    for user, is_present in (("ann", True), ("bob", True), ("ann", False)):
        notes.note(user, is_present)
    users, writes = notes.take()
    assert users == ["bob", "ann"]
    assert [type(write) for write in writes] == [UpdateOne, DeleteOne]
    assert not notes.wanted


def test_sequences_grow_and_writes_name_mailbox_and_epoch() -> None:
    notes = SessionNotes(LEASE)
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
    notes = SessionNotes(LEASE)
    for number in range(BATCH + 1):
        notes.note(f"user-{number}", True)
    assert len(notes.take()[1]) == BATCH
    assert len(notes.take()[1]) == 1


async def test_arrivals_of_a_batch_are_looked_up_together() -> None:
    asked: list[Mapping[str, datetime | None]] = []
    written: list[int] = []

    async def look_up(wanted: Mapping[str, datetime | None]) -> dict[str, ConnectLookup]:
        assert written, "not before the sessions are stored (D-ask-after-session)"
        asked.append(wanted)
        return {user: ConnectLookup(frozenset(), {}, None) for user in wanted}

    session_writer = SessionWriter(_Sessions(written), LEASE, look_up)  # pyright: ignore[reportArgumentType]
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    waiting = [
        session_writer.present("ann", late),
        session_writer.present("ann", early),
        session_writer.present("bob", late),
    ]
    waiting.append(session_writer.present("bob", None))
    session_writer.absent("eve")
    await session_writer.flush()
    assert asked == [{"ann": early, "bob": None}]
    assert [future.result() for future in waiting] == [ConnectLookup(frozenset(), {}, None)] * 4
    session_writer.absent("ann")
    await session_writer.flush()
    assert written == [3, 1]
    assert len(asked) == 1, "whoever leaves has nothing to read"


class _Sessions:
    """Counts what is written at once."""

    def __init__(self, written: list[int]) -> None:
        self._written = written

    async def bulk_write(self, changes: Sequence[object], *, ordered: bool) -> None:
        assert ordered
        self._written.append(len(changes))
