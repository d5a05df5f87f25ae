"""Each record that died is one letter, however often it is read, and whatever comes between."""

from datetime import timedelta
from typing import Any

from clarion.contracts import limits
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import indexes
from clarion.store.dead_letters import letters, queries
from clarion.store.dead_letters.letters import State
from clarion.store.driver.database import Database, Document
from tests.integration.clarion.dead_letters.kept import NOW, all_letters, dead, fold


async def test_a_death_that_is_read_again_changes_nothing(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    dying = [dead(names, n) for n in range(3)]
    await fold(own, names, dying)
    first = await all_letters(own)
    assert [one.facts.offset for one in first] == [0, 1, 2]
    assert {one.state for one in first} == {State.KEPT}
    again = [dead(names, n, last_seen=NOW + timedelta(hours=1)) for n in range(3)]
    await fold(own, names, [*dying, *again], NOW + timedelta(hours=2))
    assert await all_letters(own) == first


async def test_a_letter_that_mongodb_refuses_stops_no_other(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await fold(own, names, [dead(names, 0)])
    await own.command({"collMod": "dead_letters", "validator": {"offset": {"$ne": 2}}})
    await fold(own, names, [dead(names, n) for n in range(5)])
    assert [one.facts.offset for one in await all_letters(own)] == [0, 1, 3, 4]


async def test_a_letter_is_bounded_and_purged_after_30_days(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    huge = dead(names, 0, b"x" * 1_000_000, own=[("x", b"y" * 10_000)] * 9, error="e" * 5_000, reason=Reason.TOO_LARGE)
    await fold(own, names, [huge])
    (document,) = await letters.collection(own).aggregate([{"$set": {"bytes": {"$bsonSize": "$$ROOT"}}}]).to_list(None)
    assert document["bytes"] < limits.DEAD_LETTER_BYTES + limits.HEADERS_BYTES + 8_192
    assert document["left_out"] == 3
    assert document["purge_at"] - document["at"] == timedelta(days=30)
    assert not document["whole"]


async def test_every_list_of_letters_goes_through_an_index(settings: Settings, own: Database) -> None:
    names = Names(settings.prefix)
    await indexes.ensure(own)
    value = b'{"id": "019b7d3e-5c00-7abc-8def-0123456789ab", "recipient": "ann", "sender": "s"}'
    await fold(own, names, [dead(names, n, value if n % 9 == 0 else b"x%d" % n, key=b"bob") for n in range(200)])
    stored = letters.collection(own)
    kept: Document = {"state": {"$in": ["kept", "replaying"]}}
    found: dict[str, Any] = {}
    for name, query in {
        "state": kept,
        "reason": kept | {"reason": "invalid"},
        "topic": kept | {"topic": "t"},
        "recipient": kept | {"recipient": "ann"},
        "sender": kept | {"sender": "s"},
        "notification": kept | {"notification": "019b7d3e-5c00-7abc-8def-0123456789ab"},
    }.items():
        told = await stored.find(query).sort([("at", -1), ("_id", -1)]).limit(50).explain()
        found[name] = (_index(told["queryPlanner"]["winningPlan"]), _stages(told["queryPlanner"]["winningPlan"]))
    assert {name: index for name, (index, _) in found.items() if index == name} == {name: name for name in found}
    assert all("SORT" not in stages and "COLLSCAN" not in stages for _, stages in found.values())
    assert await queries.kept(stored, tuple(Reason)) == dict.fromkeys(Reason, 0) | {Reason.UNDECODABLE: 200}


def _stages(plan: Document) -> list[str]:
    below = [*plan.get("inputStages", []), *([plan["inputStage"]] if "inputStage" in plan else [])]
    return [plan["stage"], *(stage for one in below for stage in _stages(one))]


def _index(plan: Document) -> str:
    below = [*plan.get("inputStages", []), *([plan["inputStage"]] if "inputStage" in plan else [])]
    return plan.get("indexName", "") or next((name for one in below if (name := _index(one))), "")
