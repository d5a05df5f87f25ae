"""The audit log over HTTP: who did what, when, and what came of it."""

from typing import Any

import msgspec


class AuditEntry(msgspec.Struct):
    """What an operator did. `via` is `cli` or `console`; `about` says with what.

    `outcome` is `done`, `failed`, or `begun`: of an action that is under way, or was interrupted. `detail` says what
    came of it.
    """

    id: str
    at: str
    who: str
    via: str
    action: str
    about: dict[str, Any]
    outcome: str
    detail: str
    ended_at: str | None


class AuditPage(msgspec.Struct):
    """A page of the audit log, newest first. `next` is the cursor of the next page, null on the last one."""

    items: list[AuditEntry]
    next: str | None = None
