"""Tells the story of a notification from what MongoDB and Kafka know: its steps with times, its end, and why. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from clarion.contracts import order
from clarion.operating.trace.kafka_facts import KafkaFacts
from clarion.store.queries.notification_facts import NotificationFacts
from clarion.store.scheduled import Held
from clarion.store.updates.stubs import ANYBODY

_ON_ITS_WAY: Final = timedelta(seconds=60)  # for how long a notification may be pending, or due, before it is odd
_LAST: Final = datetime.max.replace(tzinfo=UTC)


class Ending(StrEnum):
    """Where a notification stands. Those that are no `State` are about one that is not in the store."""

    PENDING = "pending"
    DELIVERED = "delivered"
    READ = "read"
    SCHEDULED = "scheduled"
    THROTTLED = "throttled"
    COLLAPSED = "collapsed"
    EXPIRED = "expired"
    RETRACTED = "retracted"
    DEAD = "dead"
    WAITING = "waiting"  # in Kafka, still to be read
    LOST = "lost"  # read from Kafka, and nowhere
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to the notification, or will. `at` is None where nobody has noted when."""

    at: datetime | None
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """The whole story. `cure` is empty unless somebody has to do something; `notes` say what could not be looked at."""

    id: str
    ending: Ending
    summary: str
    cure: str
    steps: Sequence[Step]
    notes: Sequence[str]


def tell(facts: NotificationFacts | None, kafka: KafkaFacts | None, id_: str, now: datetime) -> Told:
    """Tell the story. `facts` or `kafka` is None when MongoDB or Kafka did not answer, which becomes a note."""
    notes = [*(kafka.notes if kafka else ["Kafka does not answer, so that nothing was looked for there"])]
    if facts is None:
        notes.append("MongoDB does not answer, so that only Kafka was searched")
    known, there = facts or nothing_of(id_), kafka or KafkaFacts()
    ending, summary, cure = _ending(known, there, now, is_asked=facts is not None)
    steps = sorted(_steps(known, there), key=lambda step: step.at or _LAST)
    return Told(id_, ending, summary, cure, steps, notes)


def nothing_of(id_: str) -> NotificationFacts:
    """Return the facts of an id of which MongoDB knows nothing."""
    return NotificationFacts(id_, "", {}, {}, [], "", [], {})


# ---- how it ended


def _ending(facts: NotificationFacts, kafka: KafkaFacts, now: datetime, *, is_asked: bool) -> tuple[Ending, str, str]:
    """Return where it stands, why in a sentence, and what to do, which is empty where there is nothing to do."""
    document = facts.stored
    if document and not document.get("stub"):
        return _stored(facts, now)
    if kafka.taken and kafka.unread_before >= 0:
        return _waiting(kafka)
    if facts.held:
        return _held(facts.held, now)
    if document:
        return _stub(document)
    if facts.deaths:
        last = facts.deaths[-1]
        return Ending.DEAD, f"it is a dead letter: {last.reason}, {last.detail} (its record is {last.place})", _DEAD
    if kafka.died:
        died = kafka.died[-1].found
        return Ending.DEAD, f"it is a dead letter: {died.reason}, {died.error} (its record is {died.place})", _DEAD
    if not is_asked:
        return Ending.UNKNOWN, "what became of it is not known while MongoDB is away", "ask again once it is back"
    if kafka.taken:
        place = f"{kafka.taken.partition.topic}/{kafka.taken.partition.number}/{kafka.taken.offset}"
        summary = f"its record {place} was read, and it is neither stored nor a dead letter"
        return Ending.LOST, summary, "run `clarion audit`, and report it with the log of the lane of that time"
    summary = (
        "nothing is known of this id: it was never accepted, it was purged (30 days after it was stored), or it "
        "belongs to another deployment"
    )
    return Ending.UNKNOWN, summary, "check the id, CLARION_DATABASE and CLARION_PREFIX, and the answer of ingest (202)"


_DEAD: Final = "docs/errors.md#dead-letters says what to do about the reason; its sender sees the same by GET"


def _stored(facts: NotificationFacts, now: datetime) -> tuple[Ending, str, str]:
    document = facts.stored
    ending, expires_at = Ending(document["state"]), document.get("expires_at")
    if ending is Ending.PENDING and expires_at and expires_at <= now:
        return ending, "it has expired, and is about to be marked so", ""
    if ending is Ending.PENDING and not facts.mailboxes:
        return ending, "it is stored, and its recipient is not connected: it comes when they come", ""
    if ending is Ending.PENDING:
        through = ", ".join(map(str, facts.mailboxes))
        summary = f"it is stored, its recipient is connected through mailbox {through}, and has not acknowledged it"
        is_late = now - document["stored_at"] > _ON_ITS_WAY
        return ending, summary, _UNACKNOWLEDGED.format(user=facts.recipient) if is_late else ""
    if ending is Ending.THROTTLED:
        later = ", until no newer one came under its key for a second" if document.get("deferred") else ""
        return ending, f"it was above its recipient's limit: it is in the inbox and not pushed{later}", ""
    if ending is Ending.COLLAPSED:
        newer = f" ({facts.replaced_by} came next)" if facts.replaced_by else ""
        return ending, f"a newer one under the key {document['collapse_key']!r} has replaced it{newer}", ""
    return ending, _SAID[ending], ""


_UNACKNOWLEDGED: Final = (
    "look at `clarion user {user}`: a client that handles what it gets acknowledges within seconds; what is not "
    "acknowledged is sent again when the client connects again"
)
_SAID: Final = {
    Ending.DELIVERED: "a device of its recipient has acknowledged it",
    Ending.READ: "its recipient has read it",
    Ending.EXPIRED: "it expired before a device acknowledged it",
    Ending.RETRACTED: "its sender has taken it back",
}


def _held(held: dict[str, Any], now: datetime) -> tuple[Ending, str, str]:
    if held["state"] == Held.RETRACTED:
        return Ending.RETRACTED, "its sender took it back before it was due", ""
    if held["state"] == Held.RELEASED:
        return Ending.WAITING, "it was due, and released into its lane, which has not stored it yet", _LANE
    if now - held["due"] > _ON_ITS_WAY:
        return Ending.SCHEDULED, "it is due, and was not released", "see the check `releases` of `clarion doctor`"
    return Ending.SCHEDULED, "it is held until it is due", ""


_LANE: Final = "see the checks `workers` and `lag` of `clarion doctor`: the lane does not keep up, or does not run"


def _waiting(kafka: KafkaFacts) -> tuple[Ending, str, str]:
    assert kafka.taken is not None
    partition = kafka.taken.partition
    summary = (
        f"it is in Kafka, in {partition.topic}, partition {partition.number}, with {kafka.unread_before} records "
        "before it that are still to be read"
    )
    return Ending.WAITING, summary, _LANE


def _stub(document: dict[str, Any]) -> tuple[Ending, str, str]:
    if "retracted_by" in document:
        return Ending.RETRACTED, f"{_senders(document)} took it back before it was stored", ""
    return Ending.WAITING, "a device acknowledged it before it was stored, and its lane has still to store it", _LANE


def _senders(document: dict[str, Any]) -> str:
    return ", ".join("somebody who may do so for all" if who == ANYBODY else who for who in document["retracted_by"])


# ---- what happened


def _steps(facts: NotificationFacts, kafka: KafkaFacts) -> list[Step]:
    document = facts.stored
    steps = [*_accepted(facts, kafka), *_scheduled(facts.held)]
    if "stored_at" in document:
        generation, offset = order.unpack(document["ord"])
        late = ", after what follows it" if document.get("late") else ""
        steps.append(
            Step(document["stored_at"], "stored", f"in lane {document['lane']}, ord {generation}/{offset}{late}")
        )
    for hit in kafka.routed:
        early = ", before it was stored" if hit.found else ""
        steps.append(Step(hit.at, "routed", f"to mailbox {hit.partition.number}{early}, whose gateway pushes it"))
    steps += _acknowledged(document, kafka)
    for field, what in (("archived_at", "archived"), ("expired_at", "expired"), ("retracted_at", "retracted")):
        if field in document:
            steps.append(Step(document[field], what))
    if "collapsed_at" in document:
        steps.append(Step(document["collapsed_at"], "collapsed", facts.replaced_by and f"by {facts.replaced_by}"))
    if "noted_at" in document:
        steps.append(Step(document["noted_at"], "retracted", f"by {_senders(document)}, before it was stored"))
    for death in facts.deaths:
        steps.append(Step(death.at, "became a dead letter", f"{death.reason}: {death.detail}, {death.place}"))
    for hit in kafka.died if not facts.deaths else ():
        steps.append(Step(hit.at, "became a dead letter", f"{hit.found.reason}: {hit.found.error}, {hit.found.place}"))
    return steps


def _accepted(facts: NotificationFacts, kafka: KafkaFacts) -> list[Step]:
    known = facts.stored if "sender" in facts.stored else facts.held
    steps: list[Step] = []
    if "sender" in known:
        who = f"{known['type']} by {known['sender']} for {known['recipient']}, {known['lane']}"
        steps.append(Step(known["created_at"], "accepted", who))
    if kafka.taken:
        place = f"{kafka.taken.partition.topic}/{kafka.taken.partition.number}/{kafka.taken.offset}"
        traced = f", traceparent {kafka.taken.found}" if kafka.taken.found else ""
        steps.append(Step(kafka.taken.at, "taken by Kafka", place + traced))
    return steps


def _scheduled(held: dict[str, Any]) -> list[Step]:
    if not held:
        return []
    steps = [Step(held["due"], "due")]
    if "released_at" in held:
        steps.append(Step(held["released_at"], "released", "into its lane"))
    if held["state"] == Held.RETRACTED and "retracted_at" in held:
        steps.append(Step(held["retracted_at"], "retracted", "while it was held"))
    return steps


def _acknowledged(document: dict[str, Any], kafka: KafkaFacts) -> list[Step]:
    """Return the steps of devices: from receipts, which name the connection, and else from what is stored."""
    steps = [
        Step(
            hit.found.at,
            _OPS.get(hit.found.op, str(hit.found.op)),
            f"on connection {hit.found.session}" if hit.found.session else "",
        )
        for hit in kafka.receipts
    ]
    told = {step.what for step in steps}
    for field, what in (("delivered_at", "acknowledged"), ("read_at", "read")):
        if field in document and what not in told:
            steps.append(Step(document[field], what))
    return steps


_OPS: Final = {"delivered": "acknowledged"}
