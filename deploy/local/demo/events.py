"""The sample GitHub deliveries as submissions, for `make run` and `make demo`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from clarion.contracts.records.notification import Notification, Submission
from clarion.sources.github import notifications
from deploy.local.errors import StackError

SAMPLE: Final = Path(__file__).parents[3] / "tests" / "data" / "github" / "deliveries.jsonl"


class Delivery(msgspec.Struct):
    event: str
    payload: dict[str, Any]


def deliveries() -> list[Delivery]:
    """Raises StackError where there is no checkout: the sample is test data and not part of the package."""
    try:
        lines = SAMPLE.read_bytes().splitlines()
    except FileNotFoundError:
        raise StackError("the sample events are not here", "run this in a checkout of the repository") from None
    return [msgspec.json.decode(line, type=Delivery) for line in lines]


def told(sample: list[Delivery], run: str) -> Iterator[Notification]:
    """What the deliveries tell to whom. The sample's few people mostly act on their own things: they want to know."""
    for number, delivery in enumerate(sample):
        yield from notifications(delivery.event, delivery.payload, delivery=f"{run}-{number}", own_updates=True)


def submission(notification: Notification, team: str = "", *, collapse: bool = True) -> Submission:
    """As an upstream would publish it. A `team` makes other people of the same names, so that a few are many.

    Without `collapse` a newer one supersedes no older one that is still pending: each is to be delivered.
    """
    return Submission(
        type=notification.type,
        message=notification.message,
        priority=notification.priority,
        data=notification.data,
        collapse_key=notification.collapse_key if collapse else None,
        recipient=notification.recipient + team,
    )
