"""Dead letters on the running system: from the record that died to its letter, and back to its lane."""

import asyncio
import re
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx2
import pytest

from clarion.broker import clients, group_offsets
from clarion.broker.consuming.commit_tracker import Partition
from clarion.client import Subscriber
from clarion.contracts.api.contents import Content
from clarion.contracts.api.dead_letters import Chosen, Edit, Filter
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.topics import Names
from clarion.operating.dead_letters import finding
from clarion.operating.dead_letters.editing import edit
from clarion.operating.dead_letters.replaying import replay
from clarion.settings import Settings
from clarion.store.dead_letters import letters, queries
from clarion.store.dead_letters.letters import Letter, State
from clarion.store.driver.database import Database
from clarion.telemetry import flicker
from deploy.local.stack import Stack
from services.stream.steps.records import dead_letter_records
from tests.conftest import UNTIL_S, until
from tests.integration.clarion.dead_letters.kept import dead, operator, producing
from tests.integration.stream.observer.watched import WITHIN_S, Observer
from tests.subprocesses import child, env_of, figures_of


async def send(live: Settings, topic: str, key: str, *values: bytes, **more: object) -> None:
    async with clients.producer(live) as producer:
        records = [{"topic": topic, "key": key.encode(), "value": value} | more for value in values]
        await clients.send_all(producer, records)


async def letters_of(stored: Database, user: str, count: int) -> list[Letter]:
    found: list[Letter] = []

    async def are_there() -> bool:
        query = {"recipient": user}
        found[:] = await queries.page(letters.collection(stored), query, after=None, limit=100, oldest_first=True)
        return len(found) >= count

    await until(are_there)
    return found


async def test_a_letter_is_mended_replayed_and_delivered(
    live: Settings, stored: Database, user: str, subscriber: Callable[[str], Subscriber]
) -> None:
    names, op = Names(live.prefix), operator(stored, live)
    await send(live, names.notifications(Lane.HIGH), user, b'{"type": "a", "message": "", "sender": "s"}')
    (letter,) = await letters_of(stored, user, 1)
    good = f'{{"type": "a", "message": "mended", "recipient": "{user}", "sender": "s"}}'
    assert (await edit(op, letter.id, Edit(value=Content(good)))).fault is None
    async with subscriber(user) as listening, producing(live) as producer, asyncio.timeout(30):
        assert (await replay(op, producer, Chosen(filter=Filter(recipient=user)))).done == 1
        first = await anext(listening)
        assert first.message == "mended"
        # the record has no id: a second replay has the one made of the letter, and is a repeat
        assert (await replay(op, producer, Chosen(ids=[letter.id], again=True))).done == 1
        await send(live, names.notifications(Lane.HIGH), user, good.replace("mended", "after").encode())
        assert (await anext(listening)).message == "after"
    assert (await finding.show(stored, names, letter.id)).state == "replayed"


async def test_a_replay_that_dies_again_is_the_same_letter(live: Settings, stored: Database, user: str) -> None:
    names, op = Names(live.prefix), operator(stored, live)
    await send(live, names.notifications(Lane.LOW), user, b"no json")
    (letter,) = await letters_of(stored, user, 1)
    async with producing(live) as producer:
        for number in range(1, 5):
            assert (await replay(op, producer, Chosen(ids=[letter.id]))).done == 1

            async def has_died() -> bool:
                found = await queries.find(letters.collection(stored), letter.id)
                return bool(found and found.state is State.KEPT and found.replays == number)  # noqa: B023

            await until(has_died)
    (again,) = await letters_of(stored, user, 1)
    assert (again.id, again.facts.attempts, len(again.deaths)) == (letter.id, 5, 5)


async def test_junk_among_dead_letters_stops_nothing(live: Settings, stored: Database, user: str, stack: Stack) -> None:
    names, began = Names(live.prefix), time.monotonic()
    base = f"http://127.0.0.1:{stack.ports['receipts-admin']}"
    before = await _reasons(base)
    junk = [b"", b"[" * 99_999, b"\xff" * 700_000, b'{"recipient": "\\ud800"}']
    await send(live, names.dead_letters, user, *junk, headers=[("reason", b"mine"), ("offset", b"-5"), ("x", b"\xff")])
    await send(live, names.dead_letters, user, b"x", headers=[("h", b"y" * 300_000)])
    await send(live, names.notifications(Lane.LOW), user, b"no json")
    found = await letters_of(stored, user, 6)
    assert sorted(one.facts.reason for one in found) == ["foreign"] * 5 + ["undecodable"]
    await send(live, names.notifications(Lane.LOW), user, b"no json either")
    await letters_of(stored, user, 7)
    async with httpx2.AsyncClient(trust_env=False) as http:
        for probe in ("live", "ready"):
            assert (await http.get(f"{base}/healthz/{probe}")).status_code == HTTPStatus.OK
        assert (await http.get(f"{base}/health/metrics")).json()["uptime_s"] > time.monotonic() - began

    async def is_as_well_as_before() -> bool:
        return await _reasons(base) <= before

    await until(is_as_well_as_before, flicker.STEADY_S + UNTIL_S)


async def _reasons(base: str) -> set[str]:
    """Return why the process is not `ok`, without figures, and without what is about MongoDB.

    Earlier tests have stopped MongoDB, and rules about it look back for minutes.
    """
    async with httpx2.AsyncClient(trust_env=False) as http:
        said = (await http.get(f"{base}/health")).json()
    assert (said["status"] == "ok") == (said["reasons"] == [])
    return {re.sub(r"\d+", "", reason) for reason in said["reasons"] if "mongodb" not in reason.lower()}


async def test_the_observer_counts_letters_by_reason(stored: Database, live: Settings, user: str, stack: Stack) -> None:
    await send(live, Names(live.prefix).notifications(Lane.LOW), user, b"no json")
    await letters_of(stored, user, 1)
    observer = Observer(stack.ports["observer-admin"])

    async def is_counted() -> bool:
        found = await observer.values("clarion_dead_letters")
        return set(found) == set(Reason) and found[Reason.UNDECODABLE] >= 1

    await until(is_counted, WITHIN_S)
    figures = await figures_of(stack.ports["receipts-admin"])
    assert 'clarion_windows_in_flight{lane="dead-letters"}' in figures


@pytest.mark.slow
async def test_a_killed_receipts_role_loses_no_dead_letter(settings: Settings, own: Database) -> None:
    names, stored = Names(settings.prefix), letters.collection(own)
    sent = [*dead_letter_records(names, [dead(names, n, b"x" * 10_000) for n in range(3_000)])]
    async with clients.producer(settings) as producer:
        await clients.send_all(producer, sent)

    async def some_are_kept() -> bool:
        return await stored.estimated_document_count() > 0

    async def all_are_kept() -> bool:
        return await stored.estimated_document_count() == len(sent)

    async def all_are_committed() -> bool:
        ends = await group_offsets.ends(settings, [Partition(names.dead_letters, n) for n in range(4)])
        async with group_offsets.asking(settings) as admin:
            told = await group_offsets.committed(admin, [names.group("dead-letters")])
        return {at: one.offset for at, one in told.items()} == {at: end for at, end in ends.items() if end}

    command = ["-m", "clarion.cli", "stream", "--role", "receipts"]
    async with child(command, env_of(settings) | {"CLARION_ADMIN_PORT": "0"}):
        await until(some_are_kept, 60)
    async with child(command, env_of(settings) | {"CLARION_ADMIN_PORT": "0"}) as process:
        await until(all_are_kept, 60)
        await until(all_are_committed)
        process.terminate()
        await asyncio.to_thread(process.wait, 20)
