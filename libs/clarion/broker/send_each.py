"""Send many records, of which one that Kafka refuses for its size must not stop the others."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from clarion.broker.clients import REQUEST_S

# These errors come from the record itself. Others, such as a missing permission or a wrong clock, an operator mends.
TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


class Refused(NamedTuple):
    """A record (arguments of `AIOKafkaProducer.send`) that is too large for its topic."""

    record: dict[str, Any]
    error: Exception


async def send_each(
    through: AIOKafkaProducer, records: Sequence[dict[str, Any]], *, within_s: float = REQUEST_S
) -> list[Refused]:
    """Send records and wait until each is acknowledged or refused for its size; return those that were refused.

    Raises any other of `clients.SEND_ERRORS`, as `clients.send_all` does.
    """
    async with asyncio.timeout(within_s):
        suspects = await _refused(through, records)
    # Kafka refuses a batch as a whole, so each of its records is sent once more, alone
    refused: list[Refused] = []
    for suspect in suspects:
        async with asyncio.timeout(within_s):
            refused += await _refused(through, [suspect.record])
    return refused


async def _refused(through: AIOKafkaProducer, records: Iterable[dict[str, Any]]) -> list[Refused]:
    sent: list[dict[str, Any]] = []
    futures: list[Any] = []
    refused: list[Refused] = []
    for record in records:
        try:
            futures.append(await through.send(**record))
        except TOO_LARGE as error:
            refused.append(Refused(record, error))
        else:
            sent.append(record)
    answers: list[Any] = await asyncio.gather(*futures, return_exceptions=True)
    for record, answer in zip(sent, answers, strict=True):
        if isinstance(answer, TOO_LARGE):
            refused.append(Refused(record, answer))
        elif isinstance(answer, BaseException):
            raise answer
    return refused
