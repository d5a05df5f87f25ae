"""Which ports the local stack takes."""

import socket

from deploy.local.servers import ports


def test_ports_are_the_previous_else_the_usual_and_never_shared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken: int = squatter.getsockname()[1]
        free = ports.choose({"x": 0}, {})["x"]
        assert ports.choose({"a": taken}, {})["a"] not in (0, taken)
        assert ports.choose({"a": taken}, {"a": free}) == {"a": free}
        both = ports.choose({"a": free, "b": free}, {})
        assert both["a"] == free != both["b"]
