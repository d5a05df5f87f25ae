"""Containers in a network of their own, which go with the block that has them."""

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import docker
import psutil
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

LABEL: Final = "clarion.tests"  # its value is the process whose containers these are
WITHIN_S: Final = 120.0
_LOOK_EVERY_S: Final = 0.2


class Fleet:
    """Containers by their names, by which they know each other as well."""

    def __init__(self) -> None:
        self.network = Network(docker_network_kw={"labels": _labels()})
        self._known: dict[str, DockerContainer] = {}
        self._open = ExitStack()
        self._disk = f"clarion-tests-{os.getpid()}"

    def begin(self) -> None:
        self._open.enter_context(self.network)

    def start(
        self,
        name: str,
        image: str,
        command: Sequence[str] = (),
        *,
        env: Mapping[str, str],
        ports: Mapping[int, int] | None = None,
        disk: str = "",
        tmp: str = "",
        **options: Any,
    ) -> Any:
        """Start a container.

        `ports` says at which port of loopback each port of its own is published, and `disk` where it has the one that
        `add_disk` made. `tmp` has the options of a /tmp in memory.
        """
        container = DockerContainer(image).with_envs(**env).with_network(self.network).with_network_aliases(name)
        if command:
            container.with_command(list(command))
        if disk:
            container.with_volume_mapping(self._disk, disk, "rw")
        if tmp:
            container.with_tmpfs_mount("/tmp", tmp)
        published = {f"{inside}/tcp": ("127.0.0.1", outside) for inside, outside in (ports or {}).items()}
        container.ports = published  # pyright: ignore[reportAttributeAccessIssue] - as the engine's own client takes it
        container.with_kwargs(hostname=name, labels=_labels(), **options)
        self._known[name] = container
        self._open.callback(container.stop)
        container.start()
        return self[name]

    def __getitem__(self, name: str) -> Any:
        """A container of the engine's own client."""
        return self._known[name].get_wrapped_container()

    def add_disk(self, mib: int) -> None:
        """Make a disk of bounded size. What is on it stays as long as any container has it."""
        client = docker.from_env()
        options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={mib}m,mode=1777"}
        volume = client.volumes.create(self._disk, driver_opts=options, labels=_labels())
        self._open.callback(client.close)
        self._open.callback(volume.remove)

    @property
    def names(self) -> list[str]:
        return list(self._known)

    def ended(self, image: str, command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> tuple[int, str]:
        """Run a command in a container to its end; return its code, and what it printed for programs to read."""
        container = self.start(f"once-{time.monotonic_ns()}", image, command, env=env, **options)
        code = int(container.wait(timeout=WITHIN_S)["StatusCode"])
        return code, container.logs(stderr=False).decode()

    def run(self, image: str, command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> str:
        """Run a command in a container to its end, and return what it printed. Fails when it fails."""
        code, said = self.ended(image, command, env=env, **options)
        assert code == 0, (
            f"{command} ended with code {code}: {said}\n{self[self.names[-1]].logs(stdout=False).decode()}"
        )
        return said

    def wait(self, name: str, holds: Callable[[Any], bool], within_s: float = WITHIN_S) -> None:
        """Wait until what the engine says of a container is as it should be."""
        ends = time.monotonic() + within_s
        container = self[name]
        while not holds(container.attrs["State"]):
            said = container.logs(tail=20).decode() if time.monotonic() > ends else ""
            assert time.monotonic() <= ends, f"{name} after {within_s:g} s: {container.attrs['State']}\n{said}"
            time.sleep(_LOOK_EVERY_S)
            container.reload()

    def wait_healthy(self, name: str, within_s: float = WITHIN_S) -> None:
        self.wait(name, lambda state: state.get("Health", {}).get("Status") == "healthy", within_s)

    def close(self) -> None:
        self._open.close()


@contextmanager
def running() -> Generator[Fleet]:
    sweep()
    fleet = Fleet()
    try:
        fleet.begin()
        yield fleet
    finally:
        fleet.close()


def sweep() -> None:
    """Remove what test runs left that were killed."""
    client = docker.from_env()
    container: Any
    for container in client.containers.list(all=True, filters={"label": LABEL}):
        if not psutil.pid_exists(int(container.labels[LABEL])):
            container.remove(force=True, v=True)
    volume: Any
    for volume in client.volumes.list(filters={"label": LABEL}):
        if not psutil.pid_exists(int(volume.attrs["Labels"][LABEL])):
            volume.remove()
    network: Any
    for network in client.networks.list(filters={"label": LABEL}):
        if not psutil.pid_exists(int(network.attrs["Labels"][LABEL])):
            network.remove()
    client.close()


def _labels() -> dict[str, str]:
    return {LABEL: str(os.getpid())}
