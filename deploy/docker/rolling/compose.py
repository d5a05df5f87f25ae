"""The containers of a compose project, by Compose 1.29 or 2 and the engine's own command."""

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from deploy.docker.engine import EngineError, read

STARTS_WITHIN_S: Final = 120.0
ENDS_WITHIN_S: Final = 45  # a gateway sends its clients away for 20 s, and no process takes more than 35 s
LOG_LINES: Final = 20
_LOOK_EVERY_S: Final = 0.5
_COMPOSE_WITHIN_S: Final = 120


def command() -> list[str]:
    """Return `docker compose` if the engine's command has it, else `docker-compose`. Raises `EngineError`."""
    if docker := shutil.which("docker"):
        with suppress(EngineError):  # it has no compose of its own
            read([docker, "compose", "version"])
            return [docker, "compose"]
    if old := shutil.which("docker-compose"):
        return [old]
    raise EngineError(
        "neither docker compose nor docker-compose is here", "install one: apt-get install docker-compose"
    )


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a service: the engine's id of it, and of its image."""

    id: str
    image: str


@dataclass(frozen=True, slots=True)
class Project:
    """A compose project that runs: its name, and the command with the options that choose it."""

    name: str
    compose: Sequence[str]

    def containers(self, service: str) -> list[Container]:
        """Return the containers of a service that run. Raises `EngineError`."""
        # by the labels that every version of compose gives them: to ask compose itself takes a second each time
        labels = {"project": self.name, "service": service, "oneoff": "False"}
        chosen = [f"--filter=label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        ids = read(["docker", "ps", "--quiet", "--no-trunc", *chosen]).split()
        return [Container(id_, _inspect(id_, "{{.Image}}")) for id_ in ids]

    def start_one_more(self, service: str, image: str) -> Container:
        """Start one more container of a service on an image, and return it. Raises `EngineError`."""
        before = self.containers(service)
        scale = ("--no-recreate", "--scale", f"{service}={len(before) + 1}")
        self._run("up", "--detach", "--no-deps", "--no-build", *scale, service, image=image)
        new = [one for one in self.containers(service) if one not in before]
        if len(new) != 1:
            raise EngineError(f"compose started {len(new)} containers of {service}, not one", "see `docker ps`")
        return new[0]

    def run_once(self, service: str, image: str) -> None:
        """Run a service that does its work and ends, on an image. Raises `EngineError` when it fails."""
        self._run("run", "--rm", "--no-deps", "-T", service, image=image)

    def _run(self, *arguments: str, image: str) -> None:
        read([*self.compose, *arguments], _COMPOSE_WITHIN_S, env={**os.environ, "SERVICE_IMAGE": image})


def project(options: Sequence[str]) -> Project:
    """Return the project that compose means by these options. Raises `EngineError` when none of it runs."""
    compose = [*command(), *options]
    running = read([*compose, "ps", "--quiet"], _COMPOSE_WITHIN_S).split()
    if not running:
        raise EngineError("nothing of this project runs", "start it: docker compose up")
    return Project(_inspect(running[0], '{{index .Config.Labels "com.docker.compose.project"}}'), compose)


def image_id(name: str) -> str:
    """Return the engine's id of an image. Raises `EngineError` when it has none of that name."""
    try:
        return read(["docker", "image", "inspect", "--format", "{{.Id}}", name])
    except EngineError as error:
        raise EngineError(f"the engine has no image {name}", "pull or build it first") from error


def address(container: Container) -> str:
    """Return the address of a container in the project's network."""
    return _inspect(container.id, "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}").split()[0]


def wait_ready(container: Container) -> None:
    """Wait until a container's health check passes. Raises `EngineError`, with the end of its log, when it does not."""
    ends = time.monotonic() + STARTS_WITHIN_S
    while (state := _inspect(container.id, "{{.State.Status}} {{.State.Health.Status}}")) != "running healthy":
        if time.monotonic() > ends or not state.startswith("running"):
            said = read(["docker", "logs", "--tail", str(LOG_LINES), container.id], with_errors=True)
            raise EngineError(f"the new container is not ready ({state}); the end of its log:\n{said}", "see that log")
        time.sleep(_LOOK_EVERY_S)


def end(container: Container) -> int:
    """Have a container end in order, remove it, and return its exit code. Raises `EngineError`."""
    read(["docker", "stop", "--time", str(ENDS_WITHIN_S), container.id], within_s=ENDS_WITHIN_S + 15)
    code = int(_inspect(container.id, "{{.State.ExitCode}}"))
    remove(container)
    return code


def remove(container: Container) -> None:
    """Remove a container, whether or not it runs. Raises `EngineError`."""
    read(["docker", "rm", "--force", "--volumes", container.id], within_s=30)


def _inspect(id_: str, template: str) -> str:
    return read(["docker", "inspect", "--format", template, id_])
