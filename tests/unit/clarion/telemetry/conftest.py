"""Logging that a test sets up for its process ends with the test."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logging_ends() -> Iterator[None]:
    """Undo what `logging_to` sets for as long as a process lives.

    Else a module's logger that is first used by a later test is bound to a log that has ended: it writes nothing, what
    it has said counts towards that log's limits, and `capture_logs` does not see it.
    """
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    structlog.reset_defaults()
