"""Turn the sample GitHub deliveries into submissions, for `make run` and `make demo`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from clarion.contracts.records.notification import Notification, Submission
from clarion.sources.github import notifications
from deploy.local.errors import StackError

SAMPLE: Final = Path(__file__).parents[3] / "tests" / "data" / "github" / "deliveries.jsonl"


class Delivery(msgspec.Struct):
    """A webhook delivery of GitHub."""

    event: str
    payload: dict[str, Any]


def deliveries() -> list[Delivery]:
    """Return the deliveries of the sample.

    Raise `StackError` where there is no checkout: the sample is test data and not part of the package.
    """
    try:
        lines = SAMPLE.read_bytes().splitlines()
    except FileNotFoundError:
        raise StackError(
            "the sample events are missing, which only a checkout of the repository has",
            "run this in a checkout of the repository",
        ) from None
    return [msgspec.json.decode(line, type=Delivery) for line in lines]


def told(sample: list[Delivery], run: str) -> Iterator[Notification]:
    """Yield the notifications that the deliveries make.

    People are told of their own actions, too: the few people of the sample act mostly on things of their own.
    """
    for number, delivery in enumerate(sample):
        yield from notifications(delivery.event, delivery.payload, delivery=f"{run}-{number}", own_updates=True)


def submission(notification: Notification, team: str = "", *, collapse: bool = True) -> Submission:
    """Return a notification as an upstream service would publish it.

    A `team` makes other people of the same names, so that the sample's few become many. Without `collapse` a newer
    notification supersedes no older one that is still pending: each is to be delivered.
    """
    return Submission(
        type=notification.type,
        message=notification.message,
        priority=notification.priority,
        data=notification.data,
        collapse_key=notification.collapse_key if collapse else None,
        recipient=notification.recipient + team,
    )
