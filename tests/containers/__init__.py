"""The system in containers: `make test-containers`. It needs a Docker engine, and the images of `make images`."""

import os

# Before testcontainers is imported, which reads them then. Its sweeper is an image of a registry: `fleet.sweep` does
# that work here. Where pytest itself is in a container, addresses would be those of a bridge that it cannot reach.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
os.environ.setdefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
