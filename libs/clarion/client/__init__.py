"""The Python SDK: `Publisher` sends notifications, `Subscriber` receives one user's, `Inbox` has the kept ones."""

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
from clarion.client.subscribing.cursor_store import CursorStore, InMemory, JsonFile
from clarion.client.subscribing.state import State, Stats
from clarion.client.subscribing.subscriber import Subscriber
from clarion.contracts.api.frames import Received
from clarion.contracts.api.inbox import InboxItem, InboxPage
from clarion.contracts.api.status import Status
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Submission

__all__ = [
    "ClientError",
    "CursorStore",
    "Disconnected",
    "Forbidden",
    "HttpPublisher",
    "InMemory",
    "Inbox",
    "InboxItem",
    "InboxPage",
    "JsonFile",
    "Lane",
    "NotConnected",
    "NotOpen",
    "Publisher",
    "Received",
    "Refused",
    "RequestError",
    "Result",
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
