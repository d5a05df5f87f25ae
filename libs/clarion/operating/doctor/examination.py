"""Makes all checks at once, each within its deadline, so that one that fails or hangs hides no other."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clarion.operating import processes
from clarion.operating.doctor import (
    broker,
    clocks,
    deliveries,
    environment,
    lanes,
    process_health,
    replica_set,
    upkeep,
)
from clarion.operating.doctor.check import Check, Finding, Outcome, Result, Skip, failed
from clarion.operating.doctor.system import System, opened
from clarion.operating.system_health import SystemHealth, overall
from clarion.settings import Settings
from clarion.store.queries.server import NotPermitted

CHECKS: Final = (
    Check("health", "every process answers, and is ok", process_health.health),
    Check("broker", "Kafka answers", broker.broker),
    Check("topics", "partitions, retention, compression, min.insync.replicas", broker.topics_as_declared),
    Check("replicas", "each partition has a leader, and replicas in sync", broker.replicas),
    Check("workers", "each consumer group has members", lanes.workers),
    Check("lag", "how much is still to be read, and since when", lanes.lag),
    Check("dead-letters", "records that nobody can process", lanes.dead_letters),
    Check("replica-set", "MongoDB answers, and has a primary", replica_set.replica_set),
    Check("write-concern", "a majority can acknowledge writes", replica_set.write_concern),
    Check("indexes", "every index is there", replica_set.all_indexes),
    Check("queries", "no operation on MongoDB takes long", upkeep.queries),
    Check("clean-up", "MongoDB purges what is to be purged", upkeep.clean_up),
    Check("expiry", "what has expired leaves the inbox", upkeep.expiry),
    Check("releases", "scheduled notifications are released in time", upkeep.releases),
    Check("mailboxes", "there are mailboxes for further gateways", deliveries.mailboxes),
    Check("sessions", "no sessions of gateways that are gone", deliveries.sessions),
    Check("safety-net", "nothing was overlooked", deliveries.safety_net),
    Check("accounting", "every notification is accounted for", deliveries.accounting),
    Check("stages", "no stage is slow", process_health.stages),
    Check("memory", "no process has much memory, or ever more", process_health.memory),
    Check("troubles", "no rule of the monitor holds", process_health.troubles),
    Check("monitoring", "Prometheus scrapes every process", process_health.monitoring),
    Check("broker-disks", "room on the brokers' disks", broker.broker_disks),
    Check("database-disk", "room on MongoDB's disk", replica_set.database_disk),
    Check("broker-clock", "the brokers' clock is this machine's", clocks.broker_clock),
    Check("database-clock", "MongoDB's clock is this machine's", clocks.database_clock),
    Check("ports", "this machine can connect to all servers", environment.ports),
    Check("settings", "the settings of this shell make sense", environment.settings),
    Check("notification", "what became of the notification --id", deliveries.notification, within_s=30),
)


@dataclass(frozen=True, slots=True)
class Examination:
    """The overall health, and what each check found, in the order of `CHECKS`."""

    health: SystemHealth
    findings: Sequence[Finding]

    @property
    def exit_code(self) -> int:
        """Return 0 when all is well, 1 with a warning, 2 with a failure."""
        results = {finding.outcome.result for finding in self.findings}
        return 2 if Result.FAILED in results else 1 if Result.WARNING in results else 0


async def examine(
    settings: Settings, environ: Mapping[str, str], *, id_: str = "", checks: Sequence[Check] = CHECKS
) -> Examination:
    """Make all checks at once. Raises `SettingsError` for a wrong CLARION_PROCESSES, and nothing else."""
    processes.admin_ports(settings)
    async with opened(settings, environ, id_) as system:
        findings = await asyncio.gather(*(made(check, system) for check in checks))
        return Examination(overall(await system.processes_asked), findings)


async def made(check: Check, system: System) -> Finding:
    """Make one check; whatever goes wrong with it is its finding."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(check.within_s):
            outcome = await check.ask(system)
    except Skip as error:
        outcome = Outcome(Result.SKIPPED, str(error))
    except NotPermitted as error:
        outcome = Outcome(Result.SKIPPED, f"MongoDB permits it only to a user with the role clusterMonitor: {error}")
    except TimeoutError:
        outcome = failed(
            f"the check did not end within {check.within_s:g} s",
            "run it again; a server that answers slowly is the likely cause",
        )
    except Exception as error:  # noqa: BLE001 - a check that fails must hide no other
        outcome = failed(
            f"the check itself failed: {error!r}"[:500],
            "run it again; if it fails while both servers answer, report it with this line",
        )
    return Finding(check.name, outcome, time.monotonic() - began)
