"""Replays dead letters: sends value, key and headers of each to its topic, with its history in the headers.

A letter is claimed before it is sent, and what came of it is noted after that. When a replay is interrupted in between,
its letter stays `replaying`, and repeating it sends the same under the same number. If Kafka has it twice then, the
second is a repeat: the id in the record, or the one that is made from the letter's, is the same.

A replay cannot loop. It takes what died before it began, and a letter that died again `REPLAYS_BY_FILTER` times is
replayed only if it is named.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaProducer

from clarion.broker.send_each import TOO_LARGE
from clarion.contracts import limits, times
from clarion.contracts.api.dead_letters import Chosen, Filter, Result, Results
from clarion.contracts.ids import new_id
from clarion.operating.audit_log import Operator, audited
from clarion.operating.dead_letters import choosing
from clarion.operating.dead_letters.finding import UnknownLetter
from clarion.operating.dead_letters.obstacles import obstacle
from clarion.operating.dead_letters.sending import record_of, send
from clarion.store.dead_letters import changes, letters, queries
from clarion.store.dead_letters.changes import Send
from clarion.store.dead_letters.letters import Letter, State
from clarion.store.dead_letters.queries import Position
from clarion.store.driver.database import Collection

_AT_ONCE: Final = 20  # letters in hand, of 512 KiB each at most
_NOT_FREE: Final = (
    "it was replayed already and has not died since, or is being replayed now, or was purged: look at it, and replay "
    "it by its id and `again` if need be"
)


@dataclass(slots=True)
class _Found:
    """The letters to replay, in order, and what is said of those that are not."""

    letters: list[Letter] = field(default_factory=list[Letter])
    results: list[Result] = field(default_factory=list[Result])
    passed_over: int = 0
    last: Position | None = None  # of a full page, after which there may be more


async def replay(
    operator: Operator, producer: AIOKafkaProducer, chosen: Chosen, *, within_s: float | None = None
) -> Results:
    """Replay up to `chosen.most` letters, the oldest first; begin no more of them after `within_s` seconds.

    With `dry_run`, say what would be done. Raise `Invalid`, or one of `database.TRANSIENT`. Repeating it is harmless.
    """
    choosing.check(chosen)
    began, position = choosing.decode_cursor(chosen.after) if chosen.after else (times.now(), None)
    stored = letters.collection(operator.database)
    found = await (_named(stored, chosen) if chosen.ids else _filtered(operator, stored, chosen, began, position))
    if chosen.dry_run:
        results = [*found.results, *(_would(operator, letter, again=chosen.again) for letter in found.letters)]
        return _answer(results, found.passed_over, began, found.last, stopped=False)
    states = (State.KEPT, State.REPLAYED) if chosen.again else (State.KEPT,)
    ends_at = None if within_s is None else time.monotonic() + within_s
    results, at, stopped = found.results, 0, False
    async with audited(operator, "dead_letters.replay", choosing.about(chosen)) as entry:
        while at < len(found.letters) and not stopped and (not at or ends_at is None or time.monotonic() < ends_at):
            some = found.letters[at : at + _AT_ONCE]
            part, stopped = await _replay(operator, producer, stored, some, states)
            results += part
            at += len(some)
            done = sum(result.done for result in results)
            entry.detail = f"{done} replayed, {len(results) - done} not, {found.passed_over} passed over"
    left = found.letters[at:]
    last = choosing.position_of(found.letters[at - 1]) if left else found.last
    if left and chosen.ids:
        why_not = "Kafka did not answer for others" if stopped else "there was no time left"
        results += [Result(letter.id, done=False, detail=f"nothing was done, since {why_not}") for letter in left]
    return _answer(results, found.passed_over, began, None if chosen.ids else last, stopped=stopped)


def _answer(
    results: list[Result], passed_over: int, began: datetime, last: Position | None, *, stopped: bool
) -> Results:
    done = sum(result.done for result in results)
    following = choosing.encode_cursor(began, last) if last else None
    return Results(done, len(results) - done, passed_over, results, following, stopped)


async def _named(stored: Collection, chosen: Chosen) -> _Found:
    found = _Found()
    for name in dict.fromkeys(chosen.ids):
        of_name = await queries.named(stored, name)
        found.letters += of_name
        if not of_name:
            found.results.append(Result(name, done=False, detail=str(UnknownLetter(name))))
    return found


async def _filtered(
    operator: Operator, stored: Collection, chosen: Chosen, began: datetime, after: Position | None
) -> _Found:
    """Find what a filter means: what died before the replay began, and did not die again too often."""
    query = choosing.query_of(chosen.filter or Filter(), operator.names, choosing.STATES["kept"])
    page = await queries.page(
        stored, {"$and": [query, {"at": {"$lte": began}}]}, after=after, limit=chosen.most, oldest_first=True
    )
    found = _Found(last=choosing.position_of(page[-1]) if len(page) == chosen.most else None)
    found.letters = [letter for letter in page if letter.replays < limits.REPLAYS_BY_FILTER]
    found.passed_over = len(page) - len(found.letters)
    return found


def _would(operator: Operator, letter: Letter, *, again: bool) -> Result:
    is_done = letter.state is State.REPLAYED and not again
    why_not = obstacle(letter, operator.names) or (_NOT_FREE if is_done else "")
    return Result(letter.id, done=not why_not, detail=why_not or f"it would be sent to {letter.facts.topic}")


async def _replay(
    operator: Operator, producer: AIOKafkaProducer, stored: Collection, some: Sequence[Letter], states: Sequence[State]
) -> tuple[list[Result], bool]:
    """Replay a few letters: claim each, send all, note what came of them. Say also whether Kafka left one unsure."""
    why_not = {letter.id: obstacle(letter, operator.names) for letter in some}
    wanted = {id_: new_id() for id_, obstacle_ in why_not.items() if not obstacle_}
    now = times.now()
    held = await asyncio.gather(
        *(changes.claim(stored, id_, token, now, states=states) for id_, token in wanted.items())
    )
    claimed = [(letter, wanted[letter.id]) for letter in held if letter]
    free = {letter.id for letter, _ in claimed}
    results = [Result(id_, done=False, detail=told or _NOT_FREE) for id_, told in why_not.items() if id_ not in free]
    outcomes = await send(producer, [record_of(letter) for letter, _ in claimed])
    sends = [_send(operator, letter, token, one) for (letter, token), one in zip(claimed, outcomes, strict=True)]
    await changes.note(stored, sends)
    results += [Result(one.id, done=bool(one.place), detail=one.place or one.error) for one in sends]
    return results, any(one.state is State.REPLAYING for one in sends)


def _send(operator: Operator, letter: Letter, token: str, outcome: str | Exception) -> Send:
    by, now = operator.who, times.now()
    if isinstance(outcome, str):
        return Send(letter.id, token, letter.replays, now, by, State.REPLAYED, place=outcome)
    if isinstance(outcome, TOO_LARGE):
        error = f"Kafka refuses it for its size: compare max.message.bytes of {letter.facts.topic} ({outcome!r})"
        return Send(letter.id, token, letter.replays, now, by, State.KEPT, error=error)
    error = f"Kafka did not take it for sure, so it may arrive: repeat the replay, which is harmless ({outcome!r})"
    return Send(letter.id, token, letter.replays, now, by, State.REPLAYING, error=error)
