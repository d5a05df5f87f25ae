"""What a system has to tell the comparison of itself."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.child import Child
from tests.compare.workload import Publish

Report = Callable[[str], None]


def one_is_in(_: bytes) -> Sequence[bool]:
    """Return what a success says of a request with one notification: it was accepted."""
    return [True]


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request that publishes. `accepted` reads of a success which of its notifications were taken."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    accepted: Callable[[bytes], Sequence[bool]] = one_is_in


@dataclass(frozen=True, slots=True)
class Entrance:
    """How notifications are published. `batch` is None where a system takes one a request."""

    single: Callable[[Publish], Request]
    batch: Callable[[Sequence[Publish]], Request] | None


@dataclass(frozen=True, slots=True)
class Running:
    """A system that runs. All of its processes are children of one kind of supervisor."""

    children: Mapping[str, Child]
    servers: frozenset[str]  # the brokers and databases among them
    mongodb_port: int
    entrance: Entrance
    devices: Sequence[str]  # the command of a fleet
    env: Mapping[str, str]
    victims: Sequence[str]  # the processes that are killed, one after the other
    sockets: Callable[[], Awaitable[int]]  # which the system believes to be connected
    errors: Callable[[], int]  # how many errors it has logged
    versions: Mapping[str, str]
    logs: Path  # the folder of its processes' logs


@dataclass(frozen=True, slots=True)
class Arm:
    """A system to compare. `missing` says in one sentence what this machine lacks for it; empty if nothing."""

    name: str
    missing: Callable[[], str]
    running: Callable[[Report], AbstractAsyncContextManager[Running]]
