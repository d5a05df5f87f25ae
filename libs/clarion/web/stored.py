"""Asks MongoDB for a caller who waits: when MongoDB does not answer, the caller gets a 503."""

from collections.abc import Generator
from contextlib import contextmanager

import structlog

from clarion.store.driver import database
from clarion.telemetry.health import Dependency
from clarion.web.problem_responses import Unavailable

log = structlog.get_logger()


@contextmanager
def asking(mongodb: Dependency) -> Generator[None]:
    """Raise `Unavailable`: before the block when MongoDB is known to be down, after it when MongoDB did not answer.

    The driver's error names servers, so it goes into the log and not to the caller.
    """
    if mongodb.up is False:
        raise Unavailable("MongoDB is down, and nothing was done: try again later")
    try:
        yield
    except database.TRANSIENT as error:
        log.warning("MongoDB did not answer a request", error=repr(error))
        raise Unavailable(
            "MongoDB did not answer, so a change may have been made or not: repeat the request"
        ) from error
