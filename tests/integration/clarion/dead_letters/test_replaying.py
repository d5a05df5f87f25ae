"""A replay sends what the record had, once for its lane however often it is repeated, and never loops."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from clarion.contracts import limits, times
from clarion.contracts.api.contents import Content, Header
from clarion.contracts.api.dead_letters import Chosen, Edit, Filter
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import OWN, Reason, before
from clarion.contracts.topics import Names
from clarion.operating.dead_letters import finding
from clarion.operating.dead_letters.editing import Busy, edit
from clarion.operating.dead_letters.purging import purge
from clarion.operating.dead_letters.replaying import replay
from clarion.settings import Settings
from clarion.store import audit_log
from clarion.store.dead_letters import changes, letters
from clarion.store.dead_letters.letters import Letter, State
from clarion.store.driver.database import Database
from services.stream.steps.decode import dead_letter
from tests.integration.clarion.dead_letters.kept import NOW, all_letters, dead, fold, operator, producing
from tests.observing import reading

GOOD = b'{"type": "a", "message": "m", "recipient": "ann", "sender": "s"}'


async def replayed(settings: Settings, topic: str, count: int) -> list[Any]:
    """The records of a topic, which has that many."""
    async with reading(settings, topic) as consumer, asyncio.timeout(20):
        return [await consumer.getone() for _ in range(count)]


async def the_letter(own: Database) -> Letter:
    (letter,) = await all_letters(own)
    return letter


async def test_a_replay_sends_the_record_with_its_history(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, 7)])
    id_ = (await the_letter(own)).id
    async with producing(settings) as producer:
        found = await replay(operator(own, settings), producer, Chosen(ids=[id_]))
        assert (found.done, found.failed) == (1, 0)
        assert found.results[0].detail.startswith(names.notifications(Lane.LOW))
        # a repetition of the command finds that it is done
        again = await replay(operator(own, settings), producer, Chosen(ids=[id_]))
        assert (again.done, again.failed) == (0, 1)
        assert "replayed already" in again.results[0].detail
    (record,) = await replayed(settings, names.notifications(Lane.LOW), 1)
    assert (record.key, record.value) == (b"ann", b"x")
    assert [one for one in record.headers if one[0] not in OWN] == [("traceparent", b"t")]
    known = before(record.headers, times.now())
    assert known is not None
    assert (known.letter, known.replays, known.attempts) == (id_, 1, 1)
    letter = await the_letter(own)
    assert letter.state is State.REPLAYED
    assert [one["place"] for one in letter.sends] == [found.results[0].detail]


async def test_a_letter_replayed_20_times_is_one_letter(settings: Settings, own: Database) -> None:
    names, topic = Names(settings.prefix), Names(settings.prefix).notifications(Lane.LOW)
    await fold(own, names, [dead(names, 7)])
    kept = await the_letter(own)
    id_, offset = kept.id, 0
    sizes: set[int] = set()
    async with producing(settings) as producer, reading(settings, topic) as consumer:
        for number in range(1, 21):
            assert (await replay(operator(own, settings), producer, Chosen(ids=[id_]))).done == 1
            async with asyncio.timeout(20):
                record = await consumer.getone()
            offset = record.offset
            sizes.add(sum(len(name) + len(content or b"") for name, content in record.headers) - 2 * len(str(number)))
            assert len({name for name, _ in record.headers}) == len(record.headers)
            died = times.now()
            place: Any = type("P", (), {"topic": topic, "number": record.partition})
            letter = dead_letter(record, place, Reason.UNDECODABLE, "no", died)
            await fold(own, names, [letter, letter], died)  # the second is a redelivery
            kept = await the_letter(own)
            assert (kept.id, kept.state, kept.replays, kept.facts.attempts) == (id_, State.KEPT, number, number + 1)
    assert max(sizes) - min(sizes) <= 2 * len(str(offset))  # the place of the last death is told
    assert len(kept.deaths) == len(kept.sends) == 10
    assert kept.facts.first_seen == NOW
    assert kept.deaths[-1]["replays"] == 20


async def test_a_filter_passes_over_what_died_three_times_again(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, n) for n in range(2)])
    stubborn, fresh = await all_letters(own)
    await letters.collection(own).update_one({"_id": stubborn.id}, {"$set": {"replays": limits.REPLAYS_BY_FILTER}})
    async with producing(settings) as producer:
        found = await replay(operator(own, settings), producer, Chosen(filter=Filter(reason=Reason.UNDECODABLE)))
        assert ([one.id for one in found.results], found.passed_over) == ([fresh.id], 1)
        named = await replay(operator(own, settings), producer, Chosen(ids=[stubborn.id.rpartition("/")[0]]))
        assert named.done == 1
        part_of_a_place = await replay(operator(own, settings), producer, Chosen(ids=[f"{fresh.facts.topic}/0"]))
        assert (part_of_a_place.done, part_of_a_place.failed) == (0, 1)


async def test_what_dies_while_a_replay_goes_on_is_left_to_the_next(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, n) for n in range(4)], NOW - timedelta(minutes=1))
    async with producing(settings) as producer:
        first = await replay(operator(own, settings), producer, Chosen(all=True, most=2))
        assert (first.done, first.next is not None) == (2, True)
        await fold(own, names, [dead(names, 9)], times.now() + timedelta(seconds=5))
        rest = await replay(operator(own, settings), producer, Chosen(all=True, most=2, after=first.next))
        last = await replay(operator(own, settings), producer, Chosen(all=True, most=2, after=rest.next))
    assert (rest.done, last.done, last.next) == (2, 0, None)
    assert [one.state for one in await all_letters(own)] == [*[State.REPLAYED] * 4, State.KEPT]


async def test_an_interrupted_replay_is_repeated_as_the_same(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, 7)])
    stored, id_ = letters.collection(own), (await the_letter(own)).id
    claimed = await changes.claim(stored, id_, "token", times.now(), states=[State.KEPT])
    assert claimed is not None
    async with producing(settings) as producer:
        chosen = Chosen(ids=[id_])
        under_way = await replay(operator(own, settings), producer, chosen)
        assert under_way.failed == 1
        with pytest.raises(Busy):
            await edit(operator(own, settings), id_, Edit(no_key=True))
        assert (await purge(operator(own, settings), chosen)).purged == 0
        long_ago = times.now() - timedelta(seconds=changes.CLAIM_S + 1)
        await stored.update_one({"_id": id_}, {"$set": {"claimed_at": long_ago}})
        assert (await replay(operator(own, settings), producer, Chosen(all=True))).done == 1
    assert ((await the_letter(own)).state, (await the_letter(own)).replays) == (State.REPLAYED, 1)
    # the first process wakes up and notes what it had sent: nothing changes but the history
    late = changes.Send(id_, "token", 1, times.now(), "op", State.KEPT, error="late")
    await changes.note(stored, [late, late])
    letter = await the_letter(own)
    assert (letter.state, [one.get("error") for one in letter.sends]) == (State.REPLAYED, [None, "late"])


class _Failing:
    """Stands for a producer whose sends fail."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def send(self, **_: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "state", "stopped"),
    [
        (KafkaTimeoutError(), State.REPLAYING, True),
        (TimeoutError(), State.REPLAYING, True),
        (MessageSizeTooLargeError(), State.KEPT, False),
    ],
)
async def test_what_kafka_does_not_take_says_so(
    settings: Settings, own: Database, error: Exception, state: State, stopped: bool
) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, 7)])
    failing: Any = _Failing(error)
    found = await replay(operator(own, settings), failing, Chosen(all=True))
    assert (found.failed, found.stopped) == (1, stopped)
    assert (await the_letter(own)).state is state
    async with producing(settings) as producer:  # and may be repeated at once
        assert (await replay(operator(own, settings), producer, Chosen(all=True))).done == 1


async def test_what_was_cut_or_unreadable_is_not_replayed(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    large, batch = b"x" * (limits.DEAD_LETTER_BYTES + 1), dead(names, 1, reason=Reason.UNREADABLE)
    await fold(own, names, [dead(names, 0, large), batch, dead(names, 2, topic=names.deliveries_bulk)])
    failing: Any = _Failing(AssertionError("nothing is to be sent"))
    dry = await replay(operator(own, settings), failing, Chosen(all=True, dry_run=True))
    real = await replay(operator(own, settings), failing, Chosen(all=True))
    assert dry.results == real.results
    assert ["cut at 524288" in real.results[0].detail, "whole batch" in real.results[1].detail] == [True, True]
    assert {one.state for one in await all_letters(own)} == {State.KEPT}
    cut = (await all_letters(own))[0]
    async with producing(settings) as producer:
        await edit(operator(own, settings), cut.id, Edit(value=Content(GOOD.decode())))
        assert (await replay(operator(own, settings), producer, Chosen(ids=[cut.id]))).done == 1


async def test_an_edit_is_replayed_and_the_original_stays(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, 7)])
    id_ = (await the_letter(own)).id
    change = Edit(value=Content(GOOD.decode()), key=Content("bob"), headers=[Header("x", Content("y"))])
    shown = await edit(operator(own, settings), id_, change)
    assert (shown.fault, shown.original.value.text, shown.replayed.value.text) == (None, "x", GOOD.decode())
    async with producing(settings) as producer:
        await replay(operator(own, settings), producer, Chosen(ids=[id_]))
    (record,) = await replayed(settings, names.notifications(Lane.LOW), 1)
    assert (record.key, record.value) == (b"bob", GOOD)
    assert [one for one in record.headers if one[0] not in OWN] == [("x", b"y")]
    # it dies again: the letter keeps its original, and is still the same
    place: Any = type("P", (), {"topic": names.notifications(Lane.LOW), "number": 0})
    await fold(own, names, [dead_letter(record, place, Reason.INVALID, "still", times.now())])
    again = await finding.show(own, names, id_)
    assert (again.state, again.reason, again.original.value.text) == ("kept", "invalid", "x")
    assert (await edit(operator(own, settings), id_, Edit(undo=True))).replayed.value.text == "x"


async def test_copied_headers_do_not_make_another_record_a_letters(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, 7)])
    id_ = (await the_letter(own)).id
    async with producing(settings) as producer:
        await replay(operator(own, settings), producer, Chosen(ids=[id_]))
    (record,) = await replayed(settings, names.notifications(Lane.LOW), 1)
    await fold(own, names, [dead(names, 8, b"of a stranger", own=record.headers)], times.now())
    first, second = await all_letters(own)
    assert (first.id, first.state) == (id_, State.REPLAYED)
    assert (second.facts.offset, second.state) == (8, State.KEPT)


async def test_purging_deletes_what_is_chosen_and_is_written_down(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, n, key=b"ann" if n % 2 else b"bob") for n in range(6)])
    anns = Filter(recipient="ann")
    assert (await purge(operator(own, settings), Chosen(filter=anns, dry_run=True))).purged == 3
    assert await audit_log.page(audit_log.collection(own), limit=10) == []
    first = await purge(operator(own, settings), Chosen(filter=anns, most=2))
    rest = await purge(operator(own, settings), Chosen(filter=anns, most=2, after=first.next))
    assert (first.purged, rest.purged, rest.next) == (2, 1, None)
    assert [one.named.recipient for one in await all_letters(own)] == ["bob"] * 3
    second, _ = await audit_log.page(audit_log.collection(own), limit=10)
    assert (second.who, second.action, second.outcome) == ("op", "dead_letters.purge", "done")
    assert (second.about, second.detail) == ({"filter": {"recipient": "ann"}}, "1 purged")
