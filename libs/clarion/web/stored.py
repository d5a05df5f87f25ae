"""Asking MongoDB for a caller who waits: while it is away the answer is 503, at once or when it did not come."""

from collections.abc import Generator
from contextlib import contextmanager

import structlog

from clarion.store.driver import database
from clarion.telemetry.health import Dependency
from clarion.web.problem_responses import Unavailable

log = structlog.get_logger()


@contextmanager
def asking(mongodb: Dependency) -> Generator[None]:
    """Raises `Unavailable`: before the block when MongoDB is known to be down, after it when it did not answer.

    What the driver says of that names servers: it is for the log, not for a caller.
    """
    if mongodb.up is False:
        raise Unavailable("MongoDB is down, nothing was done")
    try:
        yield
    except database.TRANSIENT as error:
        log.warning("MongoDB did not answer a request", error=repr(error))
        raise Unavailable("MongoDB did not answer; what was to be written may still be") from error
