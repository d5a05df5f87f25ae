"""In which order the services are replaced, and which of them cannot run beside their successor."""

from typing import Final

# A service that reads records comes before those that write them, so that nobody gets a kind of record it does not know
# from a newer one: gateways read what lanes and the receipts role send, those read what ingest and the scheduler send.
UPGRADE: Final[tuple[str, ...]] = (
    "gateway",
    "receipts",
    "low",
    "normal",
    "high",
    "urgent",
    "scheduler",
    "ingest",
    "observer",
    "console",
)
ROLLBACK: Final = tuple(reversed(UPGRADE))

# The load balancer's backend of each service that clients reach through it.
BACKENDS: Final = {"gateway": "gateways", "ingest": "ingest"}

# The port of this machine that the console has is free for its successor only once it has ended.
IN_PLACE: Final = frozenset({"console"})
