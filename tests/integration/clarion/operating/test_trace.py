"""`clarion trace` for each ending, on the running system, and where no service runs."""

import json
from collections.abc import Callable
from datetime import timedelta

from aiokafka import TopicPartition
from msgspec.structs import replace

from clarion.broker.partitioner import partition_of
from clarion.client import HttpPublisher, Subscriber
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.operating.trace.story import Ending, Told
from clarion.operating.trace.trace import trace
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from tests.conftest import until
from tests.integration.clarion.operating.commands import clarion
from tests.integration.clarion.operating.test_checks import commit
from tests.integration.stream.scheduler.holding import bare, produce
from tests.observing import expires

Subscribe = Callable[[str], Subscriber]


def steps(story: Told) -> list[str]:
    return [step.what for step in story.steps]


async def ends(live: Settings, id_: str, ending: Ending) -> Told:
    """The story, once it ends so."""
    story: list[Told] = []

    async def has_ended() -> bool:
        story[:] = [await trace(live, id_)]
        return story[0].ending is ending

    await until(has_ended)
    return story[0]


async def test_one_that_was_read_is_told_with_every_step(
    live: Settings, publisher: HttpPublisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    async with subscriber(user) as listening:
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        id_ = await publisher.publish(recipient=user, type="call.missed", message="Ann called", priority="high")
        await anext(listening)
        await listening.handled()
        await ends(live, id_, Ending.DELIVERED)
        await listening.read([id_])
        story = await ends(live, id_, Ending.READ)
    assert steps(story) == ["accepted", "taken by Kafka", "stored", "routed", "acknowledged", "read"]
    moments = [step.at for step in story.steps]
    assert None not in moments
    details = {step.what: step.detail for step in story.steps}
    assert details["accepted"] == f"call.missed by tests for {user}, high"
    assert details["taken by Kafka"].startswith("notifications.high/")
    assert details["acknowledged"].startswith("on connection ")
    assert story.notes == []


async def test_one_whose_recipient_is_away_is_pending(live: Settings, publisher: HttpPublisher, user: str) -> None:
    id_ = await publisher.publish(recipient=user, type="t", message="x")
    story = await ends(live, id_, Ending.PENDING)
    assert "not connected" in story.summary
    assert steps(story) == ["accepted", "taken by Kafka", "stored"]


async def test_one_that_expired_was_stored_and_then_expired(
    live: Settings, publisher: HttpPublisher, user: str, stored: Database
) -> None:
    soon = times.now() + timedelta(seconds=1)
    id_ = await publisher.publish(recipient=user, type="t", message="x", expires_at=soon)
    await expires(stored, id_)
    story = await ends(live, id_, Ending.EXPIRED)
    assert steps(story)[-2:] == ["stored", "expired"]


async def test_one_that_was_replaced_names_the_newer_one(live: Settings, publisher: HttpPublisher, user: str) -> None:
    first = await publisher.publish(recipient=user, type="t", message="1", collapse_key="k")
    await ends(live, first, Ending.PENDING)
    second = await publisher.publish(recipient=user, type="t", message="2", collapse_key="k")
    story = await ends(live, first, Ending.COLLAPSED)
    assert second in story.summary
    assert steps(story)[-1] == "collapsed"


async def test_one_that_was_taken_back_says_so(live: Settings, publisher: HttpPublisher, user: str) -> None:
    id_ = await publisher.publish(recipient=user, type="t", message="x")
    await ends(live, id_, Ending.PENDING)
    await publisher.retract(id_)
    assert steps(await ends(live, id_, Ending.RETRACTED))[-1] == "retracted"
    unfound = new_id()
    await publisher.retract(unfound)
    assert "tests took it back before it was stored" in (await ends(live, unfound, Ending.RETRACTED)).summary


async def test_one_that_was_throttled_says_so(
    live: Settings, publisher: HttpPublisher, user: str, stored: Database
) -> None:
    """The stack has no limits, so the state is written by hand."""
    id_ = await publisher.publish(recipient=user, type="t", message="x")
    await ends(live, id_, Ending.PENDING)
    await notifications.collection(stored).update_one({"_id": id_}, {"$set": {"state": "throttled"}})
    assert "above its recipient's limit" in (await ends(live, id_, Ending.THROTTLED)).summary


async def test_one_that_is_scheduled_is_told_with_its_time(live: Settings, publisher: HttpPublisher, user: str) -> None:
    due = times.now() + timedelta(hours=1)
    id_ = await publisher.publish(recipient=user, type="t", message="x", deliver_at=due)
    story = await ends(live, id_, Ending.SCHEDULED)
    assert (steps(story), story.steps[-1].at) == (["accepted", "due"], due)


async def test_one_that_died_is_told_with_reason_and_place(live: Settings, user: str) -> None:
    id_ = new_id()
    topic = Names(live.prefix).notifications(Lane.LOW)
    spoilt = bare(user, id=id_).replace(b'"message":"x"', b'"message":""')
    await produce(live, topic, {"value": spoilt, "key": user.encode()})
    story = await ends(live, id_, Ending.DEAD)
    assert "undecodable" in story.summary
    assert f"{topic}/" in story.summary
    assert steps(story)[-1] == "became a dead letter"


async def test_another_use_of_its_id_that_died_is_told_beside_it(live: Settings, user: str) -> None:
    id_, topic = new_id(), Names(live.prefix).notifications(Lane.LOW)
    uses = [{"value": bare(user, message=text, id=id_), "key": user.encode()} for text in ("first", "second")]
    await produce(live, topic, *uses)

    async def has_died() -> bool:
        return "became a dead letter" in steps(await trace(live, id_))

    await until(has_died)
    story = await trace(live, id_)
    assert story.ending is Ending.PENDING
    (death,) = [step for step in story.steps if step.what == "became a dead letter"]
    assert death.detail.startswith("id_conflict: ")


async def test_one_that_nobody_has_read_yet_is_waiting(settings: Settings, own: Database, user: str) -> None:
    topic, id_ = Names(settings.prefix).notifications(Lane.HIGH), new_id()
    records = [{"value": bare(user, id=one), "key": user.encode()} for one in (new_id(), id_, new_id())]
    await produce(settings, topic, *records)
    story = await trace(settings, id_)
    assert story.ending is Ending.WAITING
    assert f"partition {partition_of(user, 4)}, with 1 records before it" in story.summary
    assert steps(story) == ["taken by Kafka"]


async def test_one_that_was_read_and_is_nowhere_is_lost(settings: Settings, own: Database, user: str) -> None:
    names, id_ = Names(settings.prefix), new_id()
    topic = names.notifications(Lane.HIGH)
    await produce(settings, topic, {"value": bare(user, id=id_), "partition": 2})
    await commit(settings, names.group("high"), TopicPartition(topic, 2), 1)
    story = await trace(settings, id_)
    assert story.ending is Ending.LOST
    assert f"{topic}/2/0 was read" in story.summary


async def test_one_that_never_was_is_unknown(settings: Settings, own: Database) -> None:
    assert (await trace(settings, new_id())).ending is Ending.UNKNOWN


async def test_without_its_topics_a_trace_still_ends(settings: Settings, own: Database) -> None:
    """As when CLARION_PREFIX is another deployment's."""
    assert (await trace(replace(settings, prefix="nobody-"), new_id())).ending is Ending.UNKNOWN


async def test_the_command_prints_the_story_or_json(
    live: Settings, stack: Stack, publisher: HttpPublisher, user: str
) -> None:
    id_ = await publisher.publish(recipient=user, type="t", message="x")
    await ends(live, id_, Ending.PENDING)
    code, said = await clarion(stack, "trace", id_.upper(), "--json")
    told = json.loads(said)
    assert (code, told["id"], told["ending"]) == (0, id_, "pending")
    assert [step["what"] for step in told["steps"]] == ["accepted", "taken by Kafka", "stored"]
    code, said = await clarion(stack, "trace", id_)
    assert (code, "pending: it is stored" in said) == (0, True)
    assert (await clarion(stack, "trace", new_id()))[0] == 1
    assert (await clarion(stack, "trace", "no-id"))[0] == 2
