"""The actor of a task: at its gates the services' code is held. Calls of no actor go through."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from clarion.contracts.lanes import Lane
from clarion.store.mailboxes import Lease
from services.gateway.hub import Hub
from services.gateway.mailbox.abandoned import AbandonedMailboxes
from tests.live.gates import Gates

Chore = Callable[[AbandonedMailboxes, Mapping[int, Lease]], Awaitable[None]]


@dataclass(slots=True)
class Actor:
    """`wish` is the mailbox a gateway is to take, `chore` what it is to do for dead ones; `late` are its session writes
    that are to land a second time.
    """

    gates: Gates = field(default_factory=Gates)
    lanes: frozenset[Lane] = frozenset()
    gateway: Hub | None = None
    wish: int | None = None
    chore: Chore | None = None
    times_out: bool = False
    late: list[Callable[[], Awaitable[object]]] = field(default_factory=list[Callable[[], Awaitable[object]]])
    consumers: list[Any] = field(default_factory=list[Any])
    end_server: Callable[[], Awaitable[None]] | None = None
    only_mailbox: int | None = None  # that a worker emits to, before it crashes
    has_emitted: asyncio.Event = field(default_factory=asyncio.Event)
    early: set[str] = field(default_factory=set[str])  # ids that a worker has sent before they were stored


ACTOR: Final[ContextVar[Actor | None]] = ContextVar("actor", default=None)
OFFSET: Final[ContextVar[int]] = ContextVar("offset")  # of a worker's window
