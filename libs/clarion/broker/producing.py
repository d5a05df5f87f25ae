"""An idempotent producer that goes on after Kafka has refused a batch.

aiokafka counts a batch's sequence numbers before the broker has taken it. When the broker refuses the batch for good,
because it is too large or not allowed, the numbers have a gap, and every later batch of that partition fails with
OUT_OF_ORDER_SEQUENCE_NUMBER. Java's client then begins a new epoch of its producer id (KIP-360), in which every
partition counts from 0 again, and so does this producer. A batch that is being tried again keeps the epoch it was made
in, and its partition waits for it, so nothing is reordered and no batch is taken for a repeat of another one.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, PidAndEpoch, TransactionManager
from aiokafka.structs import TopicPartition
from aiokafka.util import create_future

log = logging.getLogger(__name__)

_MAX_EPOCH: Final = (1 << 15) - 1
_SEQUENCES: Final = 1 << 31  # after so many, numbers begin at 0 again, as brokers expect; aiokafka's become negative
_NO_LIMIT_MS: Final = _SEQUENCES - 1  # the timeout of transactions, of which this producer has none
_TOLD_AGAIN_S: Final = 60.0  # a topic's refusal is logged once in this time, and reported for as long
_RESTART_S: Final = 1.0


class Identity(TransactionManager):
    """The producer id, its epoch, and the next sequence number of each partition."""

    def __init__(self) -> None:
        super().__init__(None, _NO_LIMIT_MS)

    def increment_sequence_number(self, tp: TopicPartition, increment: int) -> None:
        """Count `increment` records of a partition. After 2³¹ - 1 the numbers begin at 0 again."""
        self._sequence_numbers[tp] = (self._sequence_numbers[tp] + increment) % _SEQUENCES

    def begin_anew(self, *, with_new_id: bool) -> None:
        """Begin the next epoch, in which every partition counts from 0.

        If `with_new_id`, or if the id has no epoch left, the broker is asked for a new id before anything else is sent.
        """
        self._sequence_numbers.clear()
        if with_new_id or self.producer_epoch >= _MAX_EPOCH:
            self._pid_and_epoch = PidAndEpoch(NO_PRODUCER_ID, NO_PRODUCER_EPOCH)
            self._pid_waiter = create_future()
        elif self.has_pid():
            self._pid_and_epoch = PidAndEpoch(self.producer_id, self.producer_epoch + 1)


class Refusal(NamedTuple):
    """The last error that a topic's batches failed with, and when, in seconds of a monotonic clock.

    `at` is 0 once Kafka has taken something for the topic again. `told_at` is when the error was last logged.
    """

    error: str
    at: float
    told_at: float


class _Sender(Sender):
    def __init__(
        self,
        client: Any,
        identity: Identity,
        accumulator: Any,
        request_timeout_ms: int,
        on_renewed: Callable[[str], object],
    ) -> None:
        super().__init__(
            client,
            acks=-1,
            txn_manager=identity,
            message_accumulator=accumulator,
            retry_backoff_ms=100,
            request_timeout_ms=request_timeout_ms,
        )
        self._identity: Final = identity
        self._accumulator: Final = accumulator
        self._on_renewed: Final = on_renewed
        self.refusals: Final[dict[str, Refusal]] = {}  # by topic, for each that ever had a refusal

    async def _sender_routine(self) -> None:
        """Send until cancelled. aiokafka's own routine ends at an unexpected error, and nothing is sent after that."""
        while True:
            try:
                return await super()._sender_routine()
            except Exception as error:  # noqa: BLE001 - no error may end this producer
                self._fail_what_waits(error)
            try:
                await asyncio.sleep(_RESTART_S)
            except asyncio.CancelledError:
                return None  # as aiokafka's own routine does when it is cancelled

    def _fail_what_waits(self, error: Exception) -> None:
        """Fail every batch that waits, and go on with a new producer id."""
        log.error("the producer failed: its waiting batches fail, and it goes on with a new id", exc_info=error)
        self._on_renewed(type(error).__name__)
        for waiting in self._accumulator._batches.values():
            for batch in waiting:
                batch.failure(KafkaError(repr(error)))
        self._accumulator._batches.clear()
        self._identity.begin_anew(with_new_id=True)

    async def _send_produce_req(self, node_id: int, batches: dict[TopicPartition, Any]) -> None:
        try:
            await SendProduceReqHandler(self, batches).do(node_id)
        except Exception as error:  # the batches of this request fail, and others are still sent
            log.exception("a request of the producer failed: its batches fail, and others are still sent")
            for batch in batches.values():
                batch.failure(KafkaError(repr(error)))
        finally:
            self._in_flight.discard(node_id)
            self._muted_partitions.difference_update(batches)
            # in the same step of the event loop: no other batch of these partitions may get its number in between
            failed = {tp: error for tp, batch in batches.items() if (error := _error(batch))}
            if failed:
                self._begin_anew(failed)
            if self.refusals:
                taken = {tp.topic for tp, batch in batches.items() if tp not in failed and batch.future.done()}
                self.refusals.update({t: self.refusals[t]._replace(at=0.0) for t in taken & self.refusals.keys()})

    def _begin_anew(self, failed: dict[TopicPartition, BaseException]) -> None:
        """Begin a new epoch, because batches have `failed` for good, and note and log their errors."""
        self._identity.begin_anew(with_new_id=any(isinstance(error, ProducerFenced) for error in failed.values()))
        now = time.monotonic()
        for tp, error in failed.items():
            name, known = type(error).__name__, self.refusals.get(tp.topic)
            self._on_renewed(name)
            told_at = known.told_at if known and known.error == name else -_TOLD_AGAIN_S
            if now - told_at >= _TOLD_AGAIN_S:
                told_at = now
                log.warning("Kafka refused a batch for %s, and the producer begins a new epoch: %r", tp.topic, error)
            self.refusals[tp.topic] = Refusal(name, now, told_at)


def _error(batch: Any) -> BaseException | None:
    """Return the error that a batch has failed with for good; None if it has not failed."""
    future = batch.future
    return future.exception() if future.done() and not future.cancelled() else None


class Producer(AIOKafkaProducer):
    """An idempotent `AIOKafkaProducer` that goes on sending after refusals and unexpected errors.

    `on_renewed` is called with the name of each error after which it began a new epoch, or got a new id.
    """

    def __init__(self, *, request_timeout_ms: int, on_renewed: Callable[[str], object], **options: Any) -> None:
        super().__init__(acks="all", enable_idempotence=True, request_timeout_ms=request_timeout_ms, **options)
        identity, accumulator = Identity(), self._message_accumulator
        self._txn_manager = accumulator._txn_manager = identity
        self._sender: _Sender = _Sender(self.client, identity, accumulator, request_timeout_ms, on_renewed)

    def refused(self) -> str:
        """Return the latest refusals in words; empty when there are none.

        A refusal counts for a minute, or until Kafka takes something for its topic again.
        """
        since = time.monotonic() - _TOLD_AGAIN_S
        refusals = self._sender.refusals.items()
        return "; ".join(
            f"Kafka refuses what is sent to {topic}: {one.error}" for topic, one in refusals if one.at > max(since, 0.0)
        )
