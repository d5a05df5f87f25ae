"""Writes the audit log: who operates, and what they change, as an entry there and as a line of the log."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from clarion.contracts import times
from clarion.contracts.topics import Names
from clarion.store import audit_log
from clarion.store.audit_log import Entry, Outcome
from clarion.store.driver import database
from clarion.store.driver.database import Database

log = structlog.get_logger()

CLI: Final = "cli"
CONSOLE: Final = "console"


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who operates this deployment: `who` by name, `via` the command line or the console."""

    database: Database
    names: Names
    who: str
    via: str


@asynccontextmanager
async def audited(operator: Operator, action: str, about: Mapping[str, object]) -> AsyncGenerator[Entry]:
    """Write down that an action begins, and how it ends. The block sets the entry's `detail`; `about` has no payload.

    Nothing is done that cannot be written down: raises one of `database.TRANSIENT` before the block. An end that cannot
    be written stays in the log alone.
    """
    entry = Entry(operator.who, operator.via, action, times.now(), about)
    entries = audit_log.collection(operator.database)
    await audit_log.put(entries, entry)
    entry.outcome = Outcome.FAILED
    try:
        yield entry
        entry.outcome = Outcome.DONE
    except Exception as error:
        entry.detail = entry.detail or type(error).__name__  # its text may hold a payload
        raise
    finally:
        entry.ended_at = times.now()
        try:
            await audit_log.put(entries, entry)
        except database.TRANSIENT as error:
            log.warning("the end of an operator's action could not be written to the audit log", error=repr(error))
        log.info(
            "an operator acted",
            who=entry.who,
            via=entry.via,
            action=action,
            about=dict(about),
            outcome=entry.outcome,
            detail=entry.detail,
        )
