"""The known troubles, each once: `TROUBLES` has them in the order of the runbook."""

from typing import Final

from clarion.rules.rule import Rule
from clarion.rules.troubles.clients import CLIENTS
from clarion.rules.troubles.contents import CONTENTS
from clarion.rules.troubles.lanes import LANES
from clarion.rules.troubles.processes import PROCESSES
from clarion.rules.troubles.servers import SERVERS

GROUPS: Final[dict[str, tuple[Rule, ...]]] = {
    "Lanes": LANES,
    "Notifications": CONTENTS,
    "Kafka and MongoDB": SERVERS,
    "Clients and senders": CLIENTS,
    "Processes": PROCESSES,
}
TROUBLES: Final = tuple(rule for rules in GROUPS.values() for rule in rules)
