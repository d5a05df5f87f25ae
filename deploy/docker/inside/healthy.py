"""Exit with 0 only if the process of this container is ready: the health check of every role.

It runs every few seconds in each container, so it imports nothing but a socket: it costs a tenth of what a client of
HTTP would. Being ready means what the role itself says at its admin port.
"""

import os
import socket
import sys

WITHIN_S = 2.0
REQUEST = b"GET /healthz/ready HTTP/1.0\r\nHost: localhost\r\n\r\n"


def ask(port: int) -> bytes:
    """Return the answer's first line. Raises `OSError` when there is none in time."""
    with socket.create_connection(("127.0.0.1", port), WITHIN_S) as connection:
        connection.settimeout(WITHIN_S)
        connection.sendall(REQUEST)
        with connection.makefile("rb") as answer:
            return answer.readline()


if __name__ == "__main__":
    try:
        first = ask(int(os.environ.get("CLARION_ADMIN_PORT") or 9400))
    except OSError as error:
        sys.exit(f"the admin port does not answer: {error}")
    if first.split(b" ")[1:2] != [b"200"]:
        sys.exit(f"the process is not ready: {first.decode(errors='replace').strip()}")
