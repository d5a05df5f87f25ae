"""Asking MongoDB for a caller who waits: while it is away the answer is 503, at once or when it did not come."""

from collections.abc import Generator
from contextlib import contextmanager

from clarion.store import database
from clarion.telemetry.health import Dependency
from clarion.web.problem_responses import Unavailable


@contextmanager
def asking(mongodb: Dependency) -> Generator[None]:
    """Raises `Unavailable`: before the block when MongoDB is known to be down, after it when it did not answer."""
    if mongodb.up is False:
        raise Unavailable(f"MongoDB is down, nothing was done: {mongodb.error}")
    try:
        yield
    except database.TRANSIENT as error:
        raise Unavailable(f"MongoDB did not answer; what was to be written may still be: {error}") from error
