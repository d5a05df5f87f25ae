"""The health check of the image: 0 only for a process that says it is ready."""

import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.conftest import repository

SCRIPT = repository() / "deploy" / "docker" / "inside" / "healthy.py"


@contextmanager
def answering(answer: bytes) -> Generator[int]:
    """A server that answers one request, or lets it hang, and the port it has."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked = connection.recv(1024)
                assert asked.startswith(b"GET /healthz/ready ")
                connection.sendall(answer)
                if not answer:
                    connection.recv(1)  # until the check has given up

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def check(port: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT],
        env={"CLARION_ADMIN_PORT": port},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


def test_a_ready_process_is_healthy() -> None:
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as port:
        assert check(str(port)).returncode == 0


@pytest.mark.parametrize(
    ("answer", "why"),
    [(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "not ready"), (b"", "does not answer"), (b"junk\r\n", "not ready")],
    ids=["unready", "silent", "junk"],
)
def test_what_is_not_ready_is_not_healthy(answer: bytes, why: str) -> None:
    with answering(answer) as port:
        done = check(str(port))
    assert done.returncode == 1
    assert why in done.stderr


def test_a_process_that_is_gone_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = check(str(port))
    assert done.returncode == 1
    assert "does not answer" in done.stderr
