"""Lists the audit log."""

from datetime import datetime

from clarion.contracts.api.audit_log import AuditEntry, AuditPage
from clarion.contracts.times import rfc3339
from clarion.operating.cursors import decode_cursor, encode_cursor
from clarion.store import audit_log
from clarion.store.audit_log import Entry, Position
from clarion.store.driver.database import Database


async def page(
    database: Database,
    *,
    who: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
    limit: int,
) -> AuditPage:
    """Return up to `limit` entries after a cursor, newest first. Raise `Invalid`, or one of `database.TRANSIENT`."""
    position = Position(*decode_cursor(after, "/cursor")) if after else None
    found = await audit_log.page(
        audit_log.collection(database),
        who=who,
        action=action,
        since=since,
        until=until,
        after=position,
        limit=limit + 1,
    )
    last = found[limit - 1] if len(found) > limit else None
    return AuditPage([_shown(entry) for entry in found[:limit]], encode_cursor(last.at, last.id) if last else None)


def _shown(entry: Entry) -> AuditEntry:
    return AuditEntry(
        id=entry.id,
        at=rfc3339(entry.at),
        who=entry.who,
        via=entry.via,
        action=entry.action,
        about={name: rfc3339(one) if isinstance(one, datetime) else one for name, one in entry.about.items()},
        outcome=str(entry.outcome.value),
        detail=entry.detail,
        ended_at=rfc3339(entry.ended_at) if entry.ended_at else None,
    )
