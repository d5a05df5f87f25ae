"""The Python SDK: `Publisher` sends notifications, `Subscriber` receives one user's, `Inbox` has the kept ones."""

from clarion.client.cursor_store import CursorStore, InMemory, JsonFile
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
from clarion.client.publisher import HttpPublisher, Publisher
from clarion.client.state import State, Stats
from clarion.client.subscriber import Subscriber
from clarion.client.transport import Result
from clarion.contracts.frames import Received
from clarion.contracts.inbox import InboxItem, InboxPage
from clarion.contracts.lanes import Lane
from clarion.contracts.notification import Submission
from clarion.contracts.status import Status

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
