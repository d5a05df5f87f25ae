"""Checks of what surrounds Clarion: the settings of this shell, and ports that can be reached."""

import asyncio
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from clarion.operating.doctor.check import Outcome, Skip, judged
from clarion.operating.doctor.system import System
from clarion.settings import Settings
from clarion.store.queries import server

CONNECT_S: Final = 2.0
_LIFE_MOST_S: Final = 7 * 86_400

# Variables that are no settings of processes: of the command line, and of the local stack.
_OTHERS: Final = frozenset({"CLARION_TOKEN", "CLARION_STATE"})
# Kubernetes sets these for each Service of the namespace.
_SERVICE_LINK: Final = re.compile(r"_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)?$")
_PUBLISHED_SECRET: Final = "for-development-only"  # noqa: S105 - what docker-compose.yml has, to be found in production


async def settings(system: System) -> Outcome:
    """Check the settings of this shell or container, which should be those of the processes."""
    return sane(system.settings, system.environ)


def sane(known: Settings, environ: Mapping[str, str]) -> Outcome:
    """Return what is wrong with settings that are readable each by itself."""
    failures: list[str] = []
    warnings = [f"{name} is no setting, and has no effect" for name in _unknown(environ)]
    if not known.dev:
        if not known.jwt_secret and not known.jwks_url:
            failures.append("neither CLARION_JWT_SECRET nor CLARION_JWKS_URL is set, so no service starts with these")
        if known.jwt_secret.startswith(_PUBLISHED_SECRET):
            failures.append("CLARION_JWT_SECRET is the one that docker-compose.yml publishes")
        if known.replication == 1:
            warnings.append("CLARION_REPLICATION is 1: a broker whose disk is lost takes notifications with it")
    if known.dev and not known.jwks_url and not _is_local(known.kafka):
        warnings.append("CLARION_ENV is dev, and Kafka is on another machine: services start without checking tokens")
    if known.jwt_secret and known.jwks_url:
        warnings.append("CLARION_JWT_SECRET and CLARION_JWKS_URL are both set: either alone signs valid tokens")
    if known.token_life_s > _LIFE_MOST_S:
        warnings.append(f"CLARION_TOKEN_LIFE_S is {known.token_life_s}: a stolen token is good for more than a week")
    evidence = f"{known.env}, prefix {known.prefix!r}, database {known.database}, {known.replication} replicas"
    return judged(failures, warnings, evidence, "mend the variables named; libs/clarion/settings.py describes each")


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {f"CLARION_{name.upper()}" for name in Settings.__struct_fields__} | _OTHERS
    return sorted(
        name
        for name in environ
        if name.startswith("CLARION_")
        and name not in known
        and name.removesuffix("_FILE") not in known
        and not _SERVICE_LINK.search(name)
    )


def _is_local(addresses: str) -> bool:
    hosts = {address.rpartition(":")[0].strip("[] ") for address in addresses.split(",")}
    return hosts <= {"localhost", "127.0.0.1", "::1", "kafka"}  # the last is the one of docker-compose.yml


async def ports(system: System) -> Outcome:
    """Check that this machine can connect to all servers: brokers as they are advertised, MongoDB, ingest, gateways."""
    wanted = {f"MongoDB at {host}:{port}": (host, port) for host, port in server.addresses(system.settings)}
    wanted |= await _advertised(system)
    for name, urls in (("INGEST", [system.settings.ingest_url]), ("GATEWAY", system.settings.gateway_urls)):
        if system.environ.get(f"CLARION_{name}_URL"):
            wanted |= {f"{url} (CLARION_{name}_URL)": _of_url(url) for url in urls}
    errors = await asyncio.gather(*(_connect(host, port) for host, port in wanted.values()))
    refused = [f"{name}: {error}" for name, error in zip(wanted, errors, strict=True) if error]
    return judged(
        refused,
        [],
        f"{len(wanted)} addresses take connections: {', '.join(wanted)}",
        "start what does not listen, or open the way to it. A broker is reached by what it advertises "
        "(advertised.listeners), whatever CLARION_KAFKA says",
    )


async def _advertised(system: System) -> dict[str, tuple[str, int]]:
    try:
        described = await (await system.kafka()).describe_cluster()
    except Skip:
        found = [address.strip().rpartition(":") for address in system.settings.kafka.split(",")]
        return {f"Kafka at {host}:{port}": (host.strip("[]"), int(port)) for host, _, port in found if port.isdigit()}
    return {
        f"broker {one['node_id']} at {one['host']}:{one['port']}": (one["host"], one["port"])
        for one in described["brokers"]
    }


def _of_url(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


async def _connect(host: str, port: int) -> str:
    """Return why no connection comes about; empty if one does."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no answer within {CONNECT_S:g} s"
    except (OSError, UnicodeError) as error:
        return str(error) or type(error).__name__
    writer.close()
    return ""
