"""The Python SDK of Clarion.

`Publisher` sends notifications, over HTTP or straight to Kafka. `Subscriber` receives one user's notifications.
`Inbox` reads and marks what the server keeps for a user. Each is an async context manager and is used in the one event
loop that opened it. What they raise is a `ClientError`.
"""

from clarion.client.errors import (
    ClientError,
    Disconnected,
    Forbidden,
    NotConnected,
    NotOpen,
    Refused,
    RequestError,
    SubscribeError,
    TokenRefused,
    Unavailable,
    Unconfirmed,
)
from clarion.client.inbox import Inbox
from clarion.client.publishing.publisher import HttpPublisher, Publisher
from clarion.client.publishing.transport import Result
from clarion.client.subscribing.cursor_store import CursorStore, InMemory, JsonFile, Position
from clarion.client.subscribing.state import State, Stats
from clarion.client.subscribing.subscriber import Subscriber
from clarion.contracts.api.frames import Received, Resync, ServerSync
from clarion.contracts.api.inbox import InboxItem, InboxPage
from clarion.contracts.api.problems import FieldError, Problem
from clarion.contracts.api.status import Status
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Submission
from clarion.edges.kafka import KafkaSecurity
from clarion.resilience.backoff import Backoff

__all__ = [
    "Backoff",
    "ClientError",
    "CursorStore",
    "Disconnected",
    "FieldError",
    "Forbidden",
    "HttpPublisher",
    "InMemory",
    "Inbox",
    "InboxItem",
    "InboxPage",
    "JsonFile",
    "KafkaSecurity",
    "Lane",
    "NotConnected",
    "NotOpen",
    "Position",
    "Problem",
    "Publisher",
    "Received",
    "Refused",
    "RequestError",
    "Result",
    "Resync",
    "ServerSync",
    "State",
    "Stats",
    "Status",
    "Submission",
    "SubscribeError",
    "Subscriber",
    "TokenRefused",
    "Unavailable",
    "Unconfirmed",
]
