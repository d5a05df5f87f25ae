"""The Faust app of one role: each setting with its reason. Faust keeps the app, the agent and the group membership."""

import time
from typing import Any, Final

import faust
from faust.exceptions import ConsumerNotStarted
from mode.supervisors import CrashingSupervisor

from clarion.broker import clients
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.open_transactions import Place
from clarion.broker.consuming.record_batch import BatchSchema, RecordBatch
from clarion.broker.consuming.transport import BUFFER_BATCHES, Consumer, Transport
from clarion.settings import Settings, split
from clarion.telemetry import metrics
from services.stream.engine.checkpoints import Checkpoints
from services.stream.engine.pipeline import Pipeline

_COMMIT_EVERY_S: Final = 0.2  # what is finished and not committed is done again after a crash
_REBALANCE_S: Final = 30.0
# A database that is away for hours must not cost the membership: aiokafka would not come back without a fetch.
_MAX_POLL_S: Final = 7 * 86_400.0


class _App(faust.App):
    def _create_directories(self) -> None:
        """None: they would hold tables, and here are none. Those of all stacks of a machine would be the same ones."""


def make_app(settings: Settings, group: str, topic: str, pipeline: Pipeline, bookmarks: Checkpoints) -> Any:
    """An app that hands each fetched batch of `topic` to `pipeline`, and commits what it acknowledged."""
    app: Any = _App(
        group,
        broker=[f"kafka://{server}" for server in split(settings.kafka)],
        store="memory://",
        web_enabled=False,  # health and metrics have a port of their own
        # else Faust's own assignor fills each worker to ceil(partitions / workers), and leaves some with none
        table_standby_replicas=0,
        topic_disable_leader=True,  # no leader election: nothing here needs one, and it wants a topic of its own
        topic_allow_declare=False,  # topics are declared once, by `clarion topics apply`
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=clients.PARTITION_FETCH_BYTES,
        consumer_metadata_max_age_ms=clients.METADATA_AGE_MS,
        broker_max_poll_records=pipeline.policy.max_records,
        broker_session_timeout=clients.SESSION_S,
        broker_heartbeat_interval=clients.HEARTBEAT_S,
        broker_request_timeout=clients.REQUEST_S,
        broker_rebalance_timeout=_REBALANCE_S,
        broker_commit_interval=_COMMIT_EVERY_S,
        producer_request_timeout=clients.REQUEST_S,  # the default is 20 minutes
        broker_max_poll_interval=_MAX_POLL_S,
        stream_buffer_maxsize=BUFFER_BATCHES,  # never reached: the consumer bounds by bytes what it fetches
        stream_wait_empty=False,  # has no deadline: the pipeline's own drain has one
        agent_supervisor=CrashingSupervisor,  # a failure that nothing handled ends the process
    )
    transport = Transport(app.conf.broker_consumer, app, app.loop)
    transport.drain = pipeline.drain
    transport.resume, transport.note, transport.mark = bookmarks.resume, bookmarks.note, bookmarks.mark
    transport.placed_by = bookmarks.placed_by
    app.transport = transport
    pipeline.owns = lambda epoch: app.consumer.owns(epoch)
    pipeline.rewind = lambda epoch: app.consumer.rewind(epoch)
    pipeline.shelve = lambda batch: app.consumer.shelve(batch)

    def assigned() -> set[Partition]:
        try:
            return {Partition(*tp) for tp in app.consumer.assignment()}
        except ConsumerNotStarted:
            return set()

    pipeline.assigned = assigned
    pipeline.readable = lambda: sum(place.readable for place in places())
    pipeline.waiting = lambda: app.consumer.waits.named(time.monotonic())
    metrics.lag_records.labels(pipeline.name).set_function(
        lambda: sum(place.behind for place in places()) + bookmarks.waiting(assigned())
    )
    metrics.open_transaction_seconds.labels(pipeline.name).set_function(
        lambda: app.consumer.waits.longest_s(time.monotonic())
    )

    def places() -> list[Place]:
        consumer = app.consumer
        return consumer.places() if isinstance(consumer, Consumer) else []

    async def hand(stream: Any) -> None:
        # noack: the stock iterator acknowledges in `finally`, so a failure would lose its batch
        async for event in stream.noack().events():
            batch: RecordBatch = event.value
            consumer = app.consumer
            assert isinstance(consumer, Consumer)
            if not consumer.owns(batch.epoch):
                continue  # taken before the last rebalance or rewind: it is read again
            await pipeline.hand(batch, event.ack)

    app.agent(app.topic(topic, schema=BatchSchema()), name=f"{group}.agent")(hand)
    return app
