"""Choose ports on loopback: the previous run's, else the usual one, else any that is free."""

import socket
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port`."""
    with socket.socket() as probe:
        # servers set this, too: a closed connection that lingers in TIME_WAIT does not make a port taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(wanted: Mapping[str, int], previous: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each name, all different. 0 in `wanted` means any."""
    chosen: dict[str, int] = {}
    for name, usual in wanted.items():
        candidates = [previous.get(name, 0), usual]
        taken = set(chosen.values())
        chosen[name] = next((p for p in candidates if p and p not in taken and is_free(p)), 0) or _any(taken)
    return chosen


@contextmanager
def kept(ports: Iterable[int]) -> Generator[None]:
    """Keep `ports` for servers of this machine while the block runs.

    Most ports that are just free lie in the range from which connections have theirs. While a server is away, any
    connection of anybody may be given its port, and then it cannot start again. Only Linux lets a server listen
    beside a socket that is bound: elsewhere no port is kept.
    """
    with ExitStack() as sockets:
        for port in ports if sys.platform == "linux" else ():
            # It never listens. Servers set SO_REUSEADDR as well, so they may listen there nevertheless; the kernel
            # gives connections no port that is bound.
            keeper = sockets.enter_context(socket.socket())
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            keeper.bind((HOST, port))
        yield


def _any(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port
