"""What a service submits, as ingest makes notifications of it."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from clarion.contracts.records.notification import Notification
from clarion.security.tokens import Claims
from services.ingest.submission import decode, notifications_of

NOW = datetime(2026, 11, 24, 1, 2, 3, 4000, UTC)
SERVICE = Claims("svc", frozenset({"publish"}), 0)


def submit(claims: Claims = SERVICE, key: str | None = None, **fields: Any) -> list[Notification]:
    body = msgspec.json.encode({"type": "call.missed", "message": "hi"} | fields)
    return list(notifications_of(decode(body), claims, key, NOW))
