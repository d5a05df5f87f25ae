"""Replace the containers of a service by ones on another image, one at a time, each ready before the next one ends."""

import time
from collections.abc import Callable
from typing import Final

from deploy.docker.engine import EngineError
from deploy.docker.rolling import compose, order
from deploy.docker.rolling.balancer import Backend
from deploy.docker.rolling.compose import Container, Project

BALANCER: Final = "load-balancer"

Say = Callable[[str], None]


def replace(project: Project, service: str, image: str, say: Say) -> None:
    """Replace those containers of a service that are not on the image.

    The successor is ready, and used by the load balancer, before a container is told to end; then the load balancer
    gives that one no new client. Raises `EngineError` when a successor does not become so: it is removed, and the
    container that it was to replace runs on.
    """
    wanted = compose.image_id(image)
    olds = [one for one in project.containers(service) if one.image != wanted]
    if not olds:
        say(f"{service}: nothing to replace")
    backend = _backend(project, service)
    if backend is not None:
        backend.forget_drained()  # what a run that was interrupted has left
    for number, old in enumerate(olds, 1):
        began = time.monotonic()
        if service in order.IN_PLACE:
            code = compose.end(old)
            _start(project, service, image, backend)
        else:
            _start(project, service, image, backend)
            code = _end(backend, old)
        which = f"{service} {number} of {len(olds)}" if len(olds) > 1 else service
        say(f"{which}: replaced in {time.monotonic() - began:.1f} s{_told(code)}")


def _backend(project: Project, service: str) -> Backend | None:
    if (name := order.BACKENDS.get(service)) is None:
        return None
    running = project.containers(BALANCER)
    if not running:
        raise EngineError("the load balancer does not run", "start it: docker compose up")
    return Backend(running[0], name)


def _start(project: Project, service: str, image: str, backend: Backend | None) -> None:
    """Start one more container, and return once it is in use. It is removed if it does not come to that."""
    new = project.start_one_more(service, image)
    try:
        compose.wait_ready(new)
        if backend is not None:
            backend.wait_for(compose.address(new))
    except BaseException:  # also when somebody interrupts: one more than before must not stay
        compose.remove(new)
        raise


def _end(backend: Backend | None, old: Container) -> int:
    """End a container, which gets no new client meanwhile, and return its exit code."""
    if backend is None:
        return compose.end(old)
    address = compose.address(old)
    backend.drain(address)
    code = compose.end(old)
    backend.wait_without(address)  # else it would send clients to where nobody is, and they would wait there
    backend.forget_drained()
    return code


def _told(code: int) -> str:
    return f"; the old one ended with code {code}, so work in hand is done again" if code else ""
