"""The load balancer's servers: which of them are up, and which get no new client, by HAProxy's runtime API.

https://docs.haproxy.org/3.2/management.html#9.3
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from deploy.docker.engine import EngineError, read
from deploy.docker.rolling.compose import Container

KNOWN_WITHIN_S: Final = 30.0
PORT: Final = 9999  # of `stats socket` in haproxy.cfg, on the container's own loopback
_LOOK_EVERY_S: Final = 0.5
_ASK: Final = f'exec 3<>/dev/tcp/127.0.0.1/{PORT} && echo "$0" >&3 && cat <&3'
_RUNNING: Final = 2
_FORCED_DRAIN: Final = 0x08


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a backend: its name, its address, and whether it gets new requests or was told to get none."""

    name: str
    address: str
    is_up: bool
    is_drained: bool


def parse(answer: str) -> list[Server]:
    """Return the servers that an answer to `show servers state BACKEND` describes."""
    rows = [line.split() for line in answer.splitlines() if line and not line.startswith("#")]
    return [
        Server(row[3], row[4], int(row[5]) == _RUNNING, bool(int(row[6]) & _FORCED_DRAIN))
        for row in rows
        if len(row) > 6
    ]


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend of the load balancer that runs in a container."""

    balancer: Container
    name: str

    def servers(self) -> list[Server]:
        """Return its servers, those without an address too. Raises `EngineError`."""
        return parse(self._ask(f"show servers state {self.name}"))

    def wait_for(self, address: str) -> None:
        """Wait until the server at an address gets requests. Raises `EngineError` when it does not."""
        self._wait(lambda: address in self._up(), f"the load balancer does not use {address}")

    def wait_without(self, address: str) -> None:
        """Wait until the load balancer has seen that a server is gone. Raises `EngineError` when it does not."""
        self._wait(lambda: address not in self._up(), f"the load balancer does not see that {address} is gone")

    def drain(self, address: str) -> None:
        """Have the server at an address get no new client; it keeps those that it has. Raises `EngineError`."""
        for server in self.servers():
            if server.address == address:
                self._set(server, "drain")

    def forget_drained(self) -> None:
        """Give the places of drained servers back, for those that come after them. Raises `EngineError`."""
        for server in self.servers():
            if server.is_drained:
                self._set(server, "ready")

    def _up(self) -> set[str]:
        return {one.address for one in self.servers() if one.is_up}

    def _wait(self, is_so: Callable[[], bool], late: str) -> None:
        ends = time.monotonic() + KNOWN_WITHIN_S
        while not is_so():
            if time.monotonic() > ends:
                raise EngineError(late, "read its log: docker logs")
            time.sleep(_LOOK_EVERY_S)

    def _set(self, server: Server, state: str) -> None:
        if said := self._ask(f"set server {self.name}/{server.name} state {state}"):
            raise EngineError(f"the load balancer refuses to set {server.name} to {state}: {said}", "read its log")

    def _ask(self, command: str) -> str:
        return read(["docker", "exec", self.balancer.id, "bash", "-c", _ASK, command])
