"""Make the Faust app of a role, each setting with its reason. Faust runs the agent and keeps the group membership."""

import time
from typing import Any, Final

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.exceptions import ConsumerNotStarted
from mode.supervisors import CrashingSupervisor

from clarion.broker import clients, security
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.open_transactions import Place
from clarion.broker.consuming.record_batch import BatchSchema, RecordBatch
from clarion.broker.consuming.transport import BUFFER_BATCHES, Consumer, Transport
from clarion.settings import Settings, split
from clarion.telemetry import metrics
from services.stream.engine.checkpoints import Checkpoints
from services.stream.engine.pipeline import Pipeline

_COMMIT_EVERY_S: Final = 0.2  # what is finished and not yet committed is done again after a crash
_REBALANCE_S: Final = 30.0
# While the database is away nothing is fetched, maybe for hours. That must not cost the group membership, since
# aiokafka does not join again without a fetch.
_MAX_POLL_S: Final = 7 * 86_400.0


class _App(faust.App):
    def _create_directories(self) -> None:
        """Create none: they would hold tables, which are not used, and all stacks of a machine would share them."""


class FaustSource:
    """A `BatchSource`: the consumer of a Faust app for one topic. It has no partitions before `open`."""

    def __init__(self, settings: Settings, group: str, topic: str, checkpoints: Checkpoints) -> None:
        self.topic: Final = topic
        self.checkpoints: Final = checkpoints
        self._settings: Final = settings
        self._group: Final = group
        self._app: Any = None

    def open(self, pipeline: Pipeline) -> Any:
        """Make the app and return it; it is not started yet.

        The app hands what is fetched to `pipeline`, and commits what the pipeline acknowledges.
        """
        app = self._app = _make_app(self._settings, self._group, pipeline.policy.max_records)
        app.transport = Transport(app.conf.broker_consumer, app, app.loop, self.checkpoints, pipeline.drain)

        async def hand(stream: Any) -> None:
            # noack: the stock iterator acknowledges in `finally`, so a failure would lose its batch
            async for event in stream.noack().events():
                batch: RecordBatch = event.value
                if self.owns(batch.ownership_epoch):
                    # otherwise it is from before a rebalance or rewind, and is read again
                    await pipeline.hand(batch, event.ack)

        app.agent(app.topic(self.topic, schema=BatchSchema()), name=f"{self._group}.agent")(hand)
        metrics.worker_lag_records.labels(pipeline.name).set_function(
            lambda: sum(place.behind for place in self._places()) + self.checkpoints.waiting(self.assigned())
        )
        metrics.window_age_seconds.labels(pipeline.name).set_function(pipeline.oldest_s)
        metrics.open_transaction_seconds.labels(pipeline.name).set_function(self._longest_transaction_s)
        app.finalize()
        return app

    def owns(self, ownership_epoch: int) -> bool:
        """Return whether what was taken in `ownership_epoch` may still be worked on; if not, it is read again."""
        return (consumer := self._consumer()) is not None and consumer.owns(ownership_epoch)

    def rewind(self, ownership_epoch: int) -> None:
        """Read again what was taken in that epoch and is not acknowledged, if it is the present one."""
        if consumer := self._consumer():
            consumer.rewind(ownership_epoch)

    def shelve(self, batch: RecordBatch) -> None:
        """Put `batch` off: it counts as neither acknowledged nor in flight, and comes again after a `rewind`."""
        if consumer := self._consumer():
            consumer.shelve(batch)

    def assigned(self) -> set[Partition]:
        """Return the partitions that this process has now; none before the app is started."""
        try:
            return {Partition(*tp) for tp in self._app.consumer.assignment()} if self._app else set()
        except ConsumerNotStarted:
            return set()

    def waiting(self) -> str:
        """Return, in words, which partition waits for an open transaction; empty when none has waited for long."""
        return consumer.waits.named(time.monotonic()) if (consumer := self._consumer()) else ""

    def readable(self) -> int:
        """Return how many offsets could be taken now: those that no open transaction hides."""
        return sum(place.readable for place in self._places())

    def _longest_transaction_s(self) -> float:
        return consumer.waits.longest_s(time.monotonic()) if (consumer := self._consumer()) else 0.0

    def _places(self) -> list[Place]:
        return consumer.places() if (consumer := self._consumer()) else []

    def _consumer(self) -> Consumer | None:
        consumer = self._app.consumer if self._app else None
        return consumer if isinstance(consumer, Consumer) else None


def _make_app(settings: Settings, group: str, max_records: int) -> Any:
    return _App(
        group,
        broker=[f"kafka://{server}" for server in split(settings.kafka)],
        broker_credentials=_credentials(settings),
        store="memory://",
        web_enabled=False,  # health and metrics have a port of their own
        # else Faust's assignor fills each worker to ceil(partitions / workers), and leaves some workers with none
        table_standby_replicas=0,
        topic_disable_leader=True,  # nothing here needs a leader, and its election needs a topic of its own
        topic_allow_declare=False,  # topics are declared once, by `clarion topics apply`
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=clients.PARTITION_FETCH_BYTES,
        consumer_metadata_max_age_ms=clients.METADATA_AGE_MS,
        broker_max_poll_records=max_records,
        broker_session_timeout=clients.SESSION_S,
        broker_heartbeat_interval=clients.HEARTBEAT_S,
        broker_request_timeout=clients.REQUEST_S,
        broker_rebalance_timeout=_REBALANCE_S,
        broker_commit_interval=_COMMIT_EVERY_S,
        producer_request_timeout=clients.REQUEST_S,  # the default is 20 minutes
        broker_max_poll_interval=_MAX_POLL_S,
        stream_buffer_maxsize=BUFFER_BATCHES,  # never reached: the consumer limits in bytes what it fetches
        stream_wait_empty=False,  # Faust's wait has no deadline; the pipeline's own drain has one
        agent_supervisor=CrashingSupervisor,  # a failure that nothing handled ends the process
    )


def _credentials(settings: Settings) -> Any:
    """Return what secures the connections of every client, as Faust has it; None if nothing does."""
    found = security.arguments(settings)
    tls: Any = found.get("ssl_context")
    if mechanism := found.get("sasl_mechanism"):
        user, password = found["sasl_plain_username"], found["sasl_plain_password"]
        return SASLCredentials(username=user, password=password, ssl_context=tls, mechanism=mechanism)
    return SSLCredentials(tls) if tls else None
