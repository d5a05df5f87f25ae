"""The table of permissions: which topics, groups and collections each role needs, and what it does with them.

Tests run each role with these permissions alone on real servers, and see it refused what is not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.topics import Names

Operation = Literal["READ", "WRITE", "DESCRIBE", "CREATE", "ALTER", "DESCRIBE_CONFIGS"]
Actions = Mapping[str, tuple[str, ...]]  # by collection, in MongoDB's own words

DATABASE: Final = ""  # in place of a collection's name: the whole database


class Grant(NamedTuple):
    """An operation on a resource of Kafka. A `name` that ends in `*` stands for all names that begin so."""

    resource: Literal["topic", "group", "cluster"]
    name: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Role:
    """What a role may do. `mongodb` has actions by collection."""

    name: str
    about: str
    kafka: tuple[Grant, ...] = ()
    mongodb: Actions = field(default_factory=dict[str, tuple[str, ...]])


def roles(names: Names) -> list[Role]:
    """Return all roles of a deployment."""
    of_lanes = [names.notifications(lane) for lane in LANES]
    published, deliveries = [*of_lanes, names.scheduled], [names.deliveries_urgent, names.deliveries_bulk]
    every = [*published, *deliveries, names.receipts, names.dead_letters]
    groups = [names.group(role) for role in (*LANES, "scheduler", "receipts", "dead-letters")]
    looking = (*_topics("READ", *every), *_groups("DESCRIBE", *groups))
    replaying = _topics("WRITE", *published, names.receipts)
    return [
        Role("publisher", "an application that publishes straight to Kafka", _topics("WRITE", *published)),
        Role(
            "ingest",
            "publishing and status over HTTP",
            _topics("WRITE", *published, names.receipts),
            dict.fromkeys(("notifications", "scheduled", "deaths", "revocations"), ("find",)),
        ),
        *(_lane(names, lane) for lane in LANES),
        Role(
            "receipts",
            "folds receipts and dead letters",
            (
                *_topics("READ", names.receipts, names.dead_letters),
                *_topics("WRITE", names.receipts, names.dead_letters, names.deliveries_bulk),
                *_groups("READ", names.group("receipts"), names.group("dead-letters")),
                # after MongoDB was restored, it waits until those who store notifications have done so again
                *_topics("DESCRIBE", *published),
                *_groups("DESCRIBE", *(names.group(role) for role in (*LANES, "scheduler"))),
            ),
            _with_indexes(
                {
                    "notifications": ("find", "insert", "update", "remove"),
                    "scheduled": ("find", "update", "remove"),
                    "sessions": ("find",),
                    "topics": ("find", "insert", "update"),
                    "dead_letters": ("find", "insert", "update"),
                    "deaths": ("find", "insert", "update"),
                }
            ),
        ),
        Role(
            "scheduler",
            "holds, releases and expires notifications",
            (
                *_topics("READ", names.scheduled),
                *_topics("WRITE", *published, names.receipts, names.dead_letters, *deliveries),
                *_groups("READ", names.group("scheduler")),
            ),
            _with_indexes(
                {
                    "notifications": ("find", "update", "remove"),
                    "scheduled": ("find", "insert", "update", "remove"),
                    "sessions": ("find",),
                    "topics": ("find", "insert", "update"),
                }
            ),
        ),
        Role(
            "observer",
            "exports lag and state",
            looking,
            dict.fromkeys(("notifications", "scheduled", "topics", "mailboxes", "dead_letters"), ("find",))
            | {"ledger": ("find", "insert", "update"), DATABASE: ("dbStats",)},
        ),
        Role(
            "gateway",
            "connections, inbox and disconnecting",
            (
                *_topics("READ", *deliveries),
                *_topics("WRITE", *deliveries, names.receipts),
                *_topics("DESCRIBE", *of_lanes),
                *_groups("DESCRIBE", *(names.group(lane) for lane in LANES), names.group("receipts")),
            ),
            _with_indexes(
                {
                    "notifications": ("find", "update"),
                    "sessions": ("find", "insert", "update", "remove"),
                    "mailboxes": ("find", "insert", "update"),
                    "revocations": ("find", "insert", "update"),
                    "deployment": ("find", "insert", "update"),
                    "topics": ("find",),
                }
            ),
        ),
        Role(
            "console",
            "the page for operators, with replay of dead letters",
            (*looking, *replaying),
            _with_indexes(_OPERATING),
        ),
        Role(
            "operator",
            "the commands: topics, doctor, trace, user, audit, dlq",
            (
                *looking,
                *replaying,
                Grant("cluster", _CLUSTER, "DESCRIBE"),
                *(Grant("topic", name, operation) for name in every for operation in _SHAPING),
            ),
            {name: (*actions, "listIndexes") for name, actions in _OPERATING.items()}
            | {"ledger": ("find",), "deployment": ("find",), DATABASE: ("dbStats",)},
        ),
    ]


def _lane(names: Names, lane: Lane) -> Role:
    topic = names.notifications(lane)
    return Role(
        f"lane-{lane}",
        f"the {lane} lane",
        (
            *_topics("READ", topic),
            *_topics("WRITE", topic, names.scheduled, names.deliveries(lane), names.dead_letters),
            *_groups("READ", names.group(lane)),
        ),
        _with_indexes(
            {
                "notifications": ("find", "insert", "update", "remove"),
                "scheduled": ("find", "update", "remove"),
                "sessions": ("find",),
                "topics": ("find", "insert", "update"),
            }
            | ({"mailboxes": ("find",)} if lane is Lane.URGENT else {})
        ),
    )


def _topics(operation: Operation, *names: str) -> tuple[Grant, ...]:
    return tuple(Grant("topic", name, operation) for name in names)


def _groups(operation: Operation, *names: str) -> tuple[Grant, ...]:
    return tuple(Grant("group", name, operation) for name in names)


def _with_indexes(actions: Actions) -> Actions:
    """Return `actions` with those that making all indexes at the start of a process needs."""
    found = dict(actions)
    for name in _INDEXED:
        found[name] = (*found.get(name, ()), "createIndex")
    found["notifications"] = (*found["notifications"], "dropIndex")
    return found


_CLUSTER: Final = "kafka-cluster"  # Kafka's own name for the resource that there is one of
_SHAPING: Final[tuple[Operation, ...]] = ("CREATE", "ALTER", "DESCRIBE_CONFIGS")
_INDEXED: Final = ("notifications", "audit_log", "dead_letters", "deaths", "revocations", "scheduled", "sessions")
_OPERATING: Final[Actions] = {
    **dict.fromkeys(("notifications", "scheduled", "sessions", "mailboxes", "topics", "revocations"), ("find",)),
    "deaths": ("find", "remove"),
    "dead_letters": ("find", "update", "remove"),
    "audit_log": ("find", "insert", "update"),
}
