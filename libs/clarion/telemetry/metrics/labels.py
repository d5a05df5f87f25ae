"""The labels of metrics, each with the values that it may have: each value is a series that stays."""

from dataclasses import dataclass
from typing import Final

from clarion.contracts.api.close_codes import Close
from clarion.contracts.api.problems import TYPES
from clarion.contracts.lanes import LANES
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.receipts import Op
from clarion.contracts.topics import Names, declare


@dataclass(frozen=True, slots=True)
class Label:
    """A label: its `name` and all its `values`.

    Where the values are known only when Clarion runs, `values` is empty and `bound` says in words what there may be.
    """

    name: str
    values: tuple[str, ...] = ()
    bound: str = ""


LANE: Final = Label("lane", LANES)
LANE_OR_ROLE: Final = Label(
    "lane", (*LANES, "receipts", "dead-letters", "scheduler")
)  # each has a topic and a consumer group
STAGE: Final = Label("stage", ("decode", "store", "route", "emit", "live"))
OP: Final = Label("op", tuple(Op))
REASON: Final = Label("reason", tuple(Reason))
TOPIC: Final = Label(
    "topic", tuple(topic.name for topic in declare(Names(), lane_partitions=1, delivery_partitions=1, replication=1))
)
STATUS: Final = Label("status", tuple(map(str, TYPES)))
ANSWER: Final = Label("status", ("202", *STATUS.values))
RULE: Final = Label("rule", bound="a rule of `clarion.rules` that this process can judge")
CLOSE_CODE: Final = Label("code", tuple(str(code.value) for code in Close))
DEPENDENCY: Final = Label("dependency", ("kafka", "mongodb"))
COLLECTION: Final = Label("collection", bound="a collection of Clarion")
KAFKA_ERROR: Final = Label("error", bound="the name of an error of Kafka")
LOOK: Final = Label("look", ("lag", "pending", "mailboxes", "dead letters", "ledger", "clocks", "disk"))
SERVER: Final = Label("server", bound="host and port of a broker, or of MongoDB's primary")
CONNECTION_STATE: Final = Label("state", ("opening", "open", "closing"))
# Limits of ingest, of lanes, and of gateways. Those that are settings have the settings' names.
INGEST_LIMITS: Final = ("sender_rate", "retractions", "requests")
LANE_LIMITS: Final = ("recipient_rate",)
GATEWAY_LIMITS: Final = (
    "connections", "connections_per_ip", "connections_per_user", "upgrades_per_s", "upgrades_per_s_per_ip",
    "frames_per_s", "stream_acks", "inbox_requests", "inbox_pages", "requests",
)  # fmt: skip
LIMIT: Final = Label("limit", tuple(dict.fromkeys((*INGEST_LIMITS, *LANE_LIMITS, *GATEWAY_LIMITS))))
PUSHED_HOW: Final = Label("how", ("live", "replay", "unstored"))
ACKED_HOW: Final = Label("how", ("here", "forwarded"))
LOOKED_HOW: Final = Label("how", ("done", "missed"))
DEFERRED_HOW: Final = Label("how", ("shown", "held back"))
RESUME_REASON: Final = Label("reason", ("foreign", "beyond"))
