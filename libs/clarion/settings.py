"""Settings, read once from the environment (`CLARION_*`) and frozen. `NAME_FILE` reads a secret from a file."""

import logging
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from clarion.contracts import origins
from clarion.contracts.limits import END

log = logging.getLogger(__name__)

_PREFIX: Final = "CLARION_"
_SECRETS: Final = ("jwt_secret", "mongodb")
# Kubernetes tells each container where its namespace's Services are: of one named `clarion` by CLARION_PORT.
_SERVICE_LINK: Final = re.compile(r"^(tcp|udp|sctp)://")
_MIN_SECRET_BYTES: Final = 32  # RFC 7518 section 3.2: an HS256 key is at least as long as its hash

Port = Annotated[int, Meta(ge=0, le=65_535)]
Positive = Annotated[int, Meta(ge=1)]


class SettingsError(ValueError):
    """A setting is missing or wrong; the message says which and what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    env: Literal["production", "dev"] = "production"
    kafka: str = "localhost:9092"
    mongodb: str = "mongodb://localhost:27017/?replicaSet=rs0"
    database: str = "clarion"
    prefix: Annotated[str, Meta(pattern=rf"^[A-Za-z0-9._-]*{END}")] = ""
    host: str = "0.0.0.0"  # noqa: S104 - a container's only door; the local stack says 127.0.0.1
    port: Port = 0  # 0: the service's own default (ingest 8080, gateway 8081)
    admin_port: Port = 9400
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    jwt_secret: str = ""
    jwks_url: str = ""
    jwt_issuer: str = "clarion"
    jwt_audience: str = "clarion"
    token_life_s: Positive = 86_400  # the longest; what lives longer is refused, and a disconnect is kept for so long
    token_leeway_s: Annotated[float, Meta(ge=0, le=600)] = 60  # of an issuer's clock against this machine's
    origins: str = (
        ""  # of pages that may connect, separated by commas: scheme, host, and a port that is not the scheme's
    )
    trusted_proxies: str = ""  # addresses and networks whose Forwarded or X-Forwarded-For is believed, likewise

    partitions_lane: Positive = 16  # that a topic is made with, at least; what it is grown to is known to MongoDB
    partitions_deliveries: Positive = 256
    replication: Positive = 3
    generation: Annotated[int, Meta(ge=0, lt=1 << 15)] = 0  # the least one: it rises by itself

    windows_in_flight: Annotated[int, Meta(ge=1, le=64)] = 4  # of each stream process

    # Token buckets, in notifications a second and at once; a rate of 0 is no limit.
    sender_rate: Annotated[float, Meta(ge=0)] = 1_000  # a token's subject, an ingest process
    sender_burst: Positive = 2_000
    recipient_rate: Annotated[float, Meta(ge=0)] = 10  # a recipient and lane, by when records came; urgent has none
    recipient_burst: Positive = 50

    # Of each gateway; 0 is no limit.
    connections: Annotated[int, Meta(ge=0)] = 18_000  # a process may open 20,000 files
    connections_per_ip: Annotated[int, Meta(ge=0)] = 100
    connections_per_user: Positive = 10
    upgrades_per_s: Annotated[float, Meta(ge=0)] = 500
    upgrades_per_s_per_ip: Annotated[float, Meta(ge=0)] = 50  # of an address; none without connections_per_ip
    frames_per_s: Positive = 50  # of one client, acknowledgements and answers to pings apart
    replay_reads: Positive = 4  # at once; more of them only keep what is live waiting
    replay_per_s: Positive = 20_000  # items, while there are live deliveries: those go first
    safety_net_s: Annotated[float, Meta(ge=1)] = 60  # between its looks; what it finds is pending for half of that
    drain_s: Annotated[float, Meta(ge=0, le=20)] = 20  # over which clients are sent away; the process ends within 35 s

    ingest_url: str = "http://127.0.0.1:8080"
    gateway_url: str = "http://127.0.0.1:8081"  # one or several, separated by commas

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in _SECRETS)
        return f"Settings({shown})"

    @property
    def dev(self) -> bool:
        return self.env == "dev"

    @property
    def origin_list(self) -> tuple[str, ...]:
        """As browsers write them. Raises ValueError for what is no origin."""
        return tuple(dict.fromkeys(map(origins.normalised, split(self.origins))))

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(ip_network(text) for text in split(self.trusted_proxies))

    @property
    def gateway_urls(self) -> tuple[str, ...]:
        return split(self.gateway_url)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, *, knows_users: bool = True) -> "Settings":
        """Read and check the environment.

        Raises `SettingsError` that names the variable. In production what `knows_users` starts with a signing secret
        or a key set only: a service that cannot tell its users apart must not run.
        """
        values = {name: _value(environ, name) for name in cls.__struct_fields__}
        try:
            settings = msgspec.convert({k: v for k, v in values.items() if v is not None}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(_explain(error)) from error
        for name, read in (("TRUSTED_PROXIES", "trusted_networks"), ("ORIGINS", "origin_list")):
            try:
                getattr(settings, read)
            except ValueError as error:
                raise SettingsError(f"{_PREFIX}{name}: {error}") from error
        if knows_users and not settings.dev and not settings.jwt_secret and not settings.jwks_url:
            raise SettingsError(
                "CLARION_JWT_SECRET (or _FILE) or CLARION_JWKS_URL must be set in production; "
                "CLARION_ENV=dev is for trying"
            )
        if settings.jwt_secret and len(settings.jwt_secret.encode()) < _MIN_SECRET_BYTES:
            raise SettingsError(f"CLARION_JWT_SECRET is too short: at least {_MIN_SECRET_BYTES} bytes")
        return settings


def split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _value(environ: Mapping[str, str], name: str) -> str | None:
    variable = _PREFIX + name.upper()
    file = environ.get(variable + "_FILE")
    if file is None:
        value = environ.get(variable)
        if value and _SERVICE_LINK.match(value):
            log.warning(
                "%s=%s is ignored: Kubernetes sets it for a Service of that name. To set it yourself, say "
                "`enableServiceLinks: false` in the pod's spec, or give the Service another name",
                variable,
                value,
            )
            return None
        return value
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{variable}_FILE={file} cannot be read: {error.strerror}") from error


def _explain(error: msgspec.ValidationError) -> str:
    message, _, path = str(error).partition(" - at `$.")
    return f"{_PREFIX}{path.rstrip('`').upper()}: {message}"
