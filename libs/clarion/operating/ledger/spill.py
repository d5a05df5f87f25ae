"""What was read from Kafka, in a temporary SQLite database: sorted by id on disk, so that memory stays bounded.

SQLite keeps at most `cache_kib` of it in memory, also while it sorts. The file is in `TMPDIR`, and is removed at the
end.
"""

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from clarion.broker.consuming.commit_tracker import Partition
from clarion.operating.ledger import statements
from clarion.operating.ledger.judging.classify import Seen
from clarion.operating.ledger.judging.rows import Letter, Odd, Row, Way
from clarion.operating.ledger.judging.states import Fault, Finding

CACHE_KIB: Final = 64 * 1024
_ERROR_CHARS: Final = 300


@contextmanager
def spill(topics: Sequence[str], cache_kib: int = CACHE_KIB) -> Generator["Spill"]:
    """Yield an empty `Spill`, and remove its file after the block."""
    with TemporaryDirectory(prefix="clarion-ledger-") as folder:
        made = Spill(Path(folder), topics, cache_kib)
        try:
            yield made
        finally:
            made.close()


class Spill:
    """The temporary database. `topics` are those of notifications; rows have their number in that list."""

    def __init__(self, folder: Path, topics: Sequence[str], cache_kib: int) -> None:
        self._topics: Final[list[str]] = list(topics)
        self._number: Final = {topic: number for number, topic in enumerate(topics)}
        # sorting takes minutes, and is done in a thread of its own
        self._db: Final = sqlite3.connect(folder / "ledger", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{cache_kib}"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(statements.TABLES)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # ---- what was read

    def add(self, topic: str, rows: Iterable[Row | Odd], *, is_sorted: bool = False) -> None:
        """Keep records. With `is_sorted` they are few, and go to their places at once."""
        number = self._number[topic]
        records: list[tuple[Any, ...]] = []
        odd: list[tuple[Any, ...]] = []
        for row in rows:
            place = number, row.partition, row.offset
            if isinstance(row, Row):
                records.append((_key(row.id), row.content, row.plan, *place, row.at, row.recipient, int(row.way)))
            else:
                odd.append((*place, row.last, row.at, row.error[:_ERROR_CHARS]))
        self._many(statements.RECORD if is_sorted else statements.UNSORTED, records)
        self._many("INSERT OR REPLACE INTO odd VALUES (?, ?, ?, ?, ?, ?)", odd)

    def add_letters(self, letters: Iterable[Letter]) -> None:
        """Keep dead letters of records of `topics`, and forget others. One that is there twice counts once."""
        placed: list[tuple[Any, ...]] = []
        refused: list[tuple[Any, ...]] = []
        for letter in letters:
            number = self._number.get(letter.topic)
            if number is None:
                continue
            if letter.offset >= 0:
                placed.append((number, letter.partition, letter.offset, letter.last, letter.at))
            elif letter.id:
                refused.append((_key(letter.id),))
        self._many(statements.LETTER, placed)
        self._many("INSERT OR IGNORE INTO refused VALUES (?)", refused)

    def sort(self) -> None:
        """Sort what was added. Takes long for many records: call it in a thread."""
        self._db.execute("BEGIN")
        self._db.execute(statements.SORT)
        self._db.execute("DELETE FROM unsorted")
        self._db.execute("COMMIT")

    def set_progress(
        self,
        ranges: Mapping[Partition, tuple[int, int]],
        began: Mapping[Partition, int],
        committed: Mapping[Partition, int],
        reached: Mapping[Partition, int],
    ) -> None:
        """Note, for each partition, what was read of it, when the first of that came, and how far its group is."""
        rows = [
            (self._number[one.topic], one.number, *span, began.get(one, 0), committed.get(one, 0), reached.get(one, 0))
            for one, span in ranges.items()
        ]
        self._many("INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def count(self) -> tuple[int, int]:
        """Return how many records were read, those that cannot be processed included, and how many ids they have."""
        records, ids = self._first("SELECT count(*), count(DISTINCT id) FROM records") or (0, 0)
        (odd,) = self._first("SELECT count(*) FROM odd") or (0,)
        return records + odd, ids

    # ---- what is known of ids

    def ids(self, size: int) -> Iterator[list[str]]:
        """Yield all ids that have a record, in order, `size` at a time."""
        return self._pages("SELECT DISTINCT id FROM records WHERE id > ? ORDER BY id LIMIT ?", size)

    def suspects(self, size: int) -> Iterator[list[str]]:
        """Yield all ids that are noted by `suspect`, in order, `size` at a time. They may be cleared meanwhile."""
        return self._pages("SELECT id FROM suspects WHERE id > ? ORDER BY id LIMIT ?", size)

    def seen(self, ids: Iterable[str]) -> dict[str, list[Seen]]:
        """Return the records of each id. Those of one partition that are alike are one, with their number."""
        self._turn_to(ids)
        found: dict[str, list[Seen]] = {}
        for key, content, plan, way, recipient, topic, *places in self._db.execute(statements.SEEN):
            part, pos, count, *flags = places
            seen = Seen(content, plan, Way(way), recipient, self._topic(topic), part, pos, count, *map(bool, flags))
            found.setdefault(_id(key), []).append(seen)
        return found

    def known(self, ids: Iterable[str]) -> set[str]:
        """Return those of the ids that have a record."""
        self._turn_to(ids)
        return self._ids("SELECT DISTINCT id FROM records WHERE id IN (SELECT id FROM page)")

    def refused(self, ids: Iterable[str]) -> set[str]:
        """Return those of the ids that Kafka refused when they were sent on."""
        self._turn_to(ids)
        return self._ids("SELECT id FROM refused WHERE id IN (SELECT id FROM page)")

    def has_record(self, id_: str, topic: str, partition: int, offset: int) -> bool | None:
        """Return whether the record at a place has this id; None when that place was not read."""
        number = self._number.get(topic, -1)
        span = self._first("SELECT first, last FROM progress WHERE topic = ? AND part = ?", number, partition)
        if span is None or not span[0] <= offset < span[1]:
            return None
        query = "SELECT 1 FROM records WHERE id = ? AND topic = ? AND part = ? AND pos = ?"
        return self._first(query, _key(id_), number, partition, offset) is not None

    # ---- what is known of places

    def odd(self) -> tuple[int, int]:
        """Return how many records that cannot be processed are open, and how many are dead letters."""
        rows = self._db.execute("SELECT open, dead, count(*) FROM judged_odd GROUP BY open, dead").fetchall()
        dead = sum(count for _, is_dead, count in rows if is_dead)
        return sum(count for is_open, is_dead, count in rows if is_open and not is_dead), dead

    def odd_without_letter(self) -> Iterator[Finding]:
        """Yield the records that cannot be processed, are committed, and have no dead letter."""
        for topic, part, pos, error in self._db.execute(statements.ODD_WITHOUT_LETTER):
            text = f"it cannot be processed, and there is no dead letter of it: {error}"
            yield Finding(Fault.NO_DEAD_LETTER, text, None, self._topic(topic), part, pos)

    def meet_letters(self, ids: Iterable[str]) -> None:
        """Note that the dead letters of these ids' records have a record."""
        if self._turn_to(ids):
            self._db.execute(statements.MEET_RECORDS)

    def letters_without_record(self) -> Iterator[Finding]:
        """Yield the dead letters at whose places nothing was read. Call it once all ids have met theirs.

        Earlier ones than what was read there are of an earlier topic of that name.
        """
        self._db.execute(statements.MEET_ODD)
        for topic, part, pos in self._db.execute(statements.UNMET):
            text = "there is a dead letter of this place, and Kafka has no record there"
            yield Finding(Fault.LETTER_WITHOUT_RECORD, text, None, self._topic(topic), part, pos)

    # ---- what was found

    def suspect(self, ids: Iterable[str]) -> None:
        """Note ids to be looked at again."""
        self._many("INSERT OR IGNORE INTO suspects VALUES (?)", [(_key(id_),) for id_ in ids])

    def suspected(self, ids: Iterable[str]) -> set[str]:
        """Return those of the ids that are noted."""
        self._turn_to(ids)
        return self._ids("SELECT id FROM suspects WHERE id IN (SELECT id FROM page)")

    def clear(self, ids: Iterable[str]) -> None:
        """Forget ids that were noted."""
        self._many("DELETE FROM suspects WHERE id = ?", [(_key(id_),) for id_ in ids])

    def has_suspects(self) -> bool:
        """Return whether any id is noted."""
        return self._first("SELECT 1 FROM suspects LIMIT 1") is not None

    def find(self, findings: Iterable[Finding]) -> None:
        """Keep findings."""
        rows = [(str(one.fault), one.id, one.topic, one.partition, one.offset, one.detail) for one in findings]
        self._many("INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?)", rows)

    def findings(self) -> Iterator[Finding]:
        """Yield all findings, those of a kind together."""
        for fault, id_, topic, part, pos, detail in self._db.execute("SELECT * FROM findings ORDER BY fault, rowid"):
            yield Finding(Fault(fault), detail, id_, topic, part, pos)

    def faults(self) -> dict[Fault, int]:
        """Return how many findings there are of each kind."""
        return {Fault(one): n for one, n in self._db.execute("SELECT fault, count(*) FROM findings GROUP BY fault")}

    # ----

    def _turn_to(self, ids: Iterable[str]) -> bool:
        """Make the next question one about `ids`; return whether there are any."""
        keys = [(_key(id_),) for id_ in ids]
        self._db.execute("DELETE FROM page")
        self._many("INSERT OR IGNORE INTO page VALUES (?)", keys)
        return bool(keys)

    def _topic(self, number: int) -> str:
        return self._topics[number]

    def _ids(self, query: str) -> set[str]:
        return {_id(key) for (key,) in self._db.execute(query)}

    def _pages(self, query: str, size: int) -> Iterator[list[str]]:
        last = b""
        while page := self._db.execute(query, (last, size)).fetchall():
            (last,) = page[-1]
            yield [_id(key) for (key,) in page]

    def _many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._db.execute("BEGIN")
            self._db.executemany(statement, rows)
            self._db.execute("COMMIT")

    def _first(self, query: str, *values: object) -> tuple[Any, ...] | None:
        return self._db.execute(query, values).fetchone()


def _key(id_: str) -> bytes:
    return bytes.fromhex(id_.replace("-", ""))


def _id(key: bytes) -> str:
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
