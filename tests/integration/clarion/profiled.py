"""What MongoDB was asked of stored notifications, by its own profile, and how it found the answers."""

import re
from datetime import datetime, timedelta
from typing import Final

from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.store import notification_indexes
from clarion.store.driver.database import Database, Document

NOW: Final = times.now()


def document(user: str, n: int, at: datetime, **more: object) -> Document:
    base = {"_id": new_id(), "recipient": user, "lane": "low", "ord": n, "type": "t", "sender": "s", "body": b"{}"}
    moments = {"created_at": at, "available_at": at, "stored_at": at, "purge_at": at + timedelta(days=30)}
    return base | {"state": "pending", "unread": True} | moments | more


async def asked(own: Database) -> list[Document]:
    """What the server was asked since the last time, and how it found the answer."""
    await own.command("profile", 0)
    kinds = ["query", "command", "update", "remove"]
    namespace = f"{own.name}.notifications"
    found = await own["system.profile"].find({"ns": namespace, "op": {"$in": kinds}}).to_list(None)
    await own["system.profile"].drop()
    await own.command("profile", 2)
    return found


def plans(found: list[Document]) -> set[str]:
    return {scan for operation in found for scan in re.findall(r"[A-Z_]+(?: {.*?})?", operation["planSummary"])}


def by(name: str) -> str:
    keys = next(index.document["key"] for index in notification_indexes.INDEXES if index.document["name"] == name)
    return "IXSCAN { " + ", ".join(f"{field}: {direction}" for field, direction in keys.items()) + " }"


def stages(plan: Document) -> list[str]:
    return [plan["stage"], *(stages(plan["inputStage"]) if "inputStage" in plan else [])]
