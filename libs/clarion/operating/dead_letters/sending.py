"""Sends replays to Kafka, and says of each what came of it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS
from clarion.broker.send_each import TOO_LARGE
from clarion.contracts.records.dead_letters import replay_headers
from clarion.store.dead_letters.letters import Letter

ACKNOWLEDGED_WITHIN_S: Final = 10.0


def record_of(letter: Letter) -> dict[str, Any]:
    """Return the record that replays a letter, as arguments of `AIOKafkaProducer.send`.

    Its key places it: a lane sends a record on that comes to the wrong partition.
    """
    content = letter.replayed
    headers = replay_headers(letter.facts, letter.id, letter.replays, content.headers)
    return {"topic": letter.facts.topic, "key": content.key, "value": content.value, "headers": list(headers)}


async def send(through: AIOKafkaProducer, records: Sequence[dict[str, Any]]) -> list[str | Exception]:
    """Send records in their order; return, for each, the place at which Kafka has it, or the error.

    After one of `TOO_LARGE` Kafka does not have it. After any other error it may have it, or still get it.
    """
    found = await _sent(through, records)
    # Kafka refuses a batch as a whole, so each of its records is sent once more, alone
    for number, outcome in enumerate(found):
        if isinstance(outcome, TOO_LARGE):
            found[number] = (await _sent(through, [records[number]]))[0]
    return found


async def _sent(through: AIOKafkaProducer, records: Sequence[dict[str, Any]]) -> list[str | Exception]:
    sent: list[Any] = []
    late = TimeoutError(f"Kafka did not acknowledge within {ACKNOWLEDGED_WITHIN_S:g} s")
    try:
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
            for record in records:
                try:
                    sent.append(await through.send(**record))
                except TimeoutError:
                    raise
                except SEND_ERRORS as error:
                    sent.append(error)
            if futures := [one for one in sent if not isinstance(one, Exception)]:
                await asyncio.wait(futures)
    except TimeoutError:
        pass
    sent += [late] * (len(records) - len(sent))
    return [one if isinstance(one, Exception) else _outcome(one, late) for one in sent]


def _outcome(future: "asyncio.Future[Any]", late: Exception) -> str | Exception:
    if not future.done() or future.cancelled():
        return late
    error = future.exception()
    if error is not None:
        return error if isinstance(error, Exception) else late
    told = future.result()
    return f"{told.topic}/{told.partition}/{told.offset}"
