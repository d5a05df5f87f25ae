"""Which ports the local stack takes."""

import socket
import struct
from typing import Final

import pytest

from deploy.local.servers import ports

IP_LOCAL_PORT_RANGE: Final = 51  # Python 3.11 does not name it


def test_ports_are_the_previous_else_the_usual_and_never_shared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken: int = squatter.getsockname()[1]
        free = ports.choose({"x": 0}, {})["x"]
        assert ports.choose({"a": taken}, {})["a"] not in (0, taken)
        assert ports.choose({"a": taken}, {"a": free}) == {"a": free}
        both = ports.choose({"a": free, "b": free}, {})
        assert both["a"] == free != both["b"]


def test_a_kept_port_is_given_to_no_connection_but_to_servers() -> None:
    """A connection that has the port of a server that is away keeps it from starting again."""
    port = ports.choose({"x": 0}, {})["x"]
    with socket.create_server(("127.0.0.1", 0)) as other:
        with ports.kept([port]):
            with connecting_from(port) as client, pytest.raises(OSError, match="Cannot assign requested address"):
                client.connect(other.getsockname())
            for _ in range(2):
                assert ports.is_free(port)
                with socket.create_server(("127.0.0.1", port)):
                    assert not ports.is_free(port)
        with connecting_from(port) as client:
            client.connect(other.getsockname())
            assert client.getsockname()[1] == port


def connecting_from(port: int) -> socket.socket:
    """A socket to which the kernel may give this port only when it connects (Linux 6.3)."""
    made = socket.socket()
    try:
        made.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("=HH", port, port))
    except OSError:
        made.close()
        pytest.skip("this kernel has no IP_LOCAL_PORT_RANGE")
    return made
