"""Settings, read once from the environment and frozen.

The setting `kafka` is read from `CLARION_KAFKA`, or from the file that `CLARION_KAFKA_FILE` names, as secrets are.
"""

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
from clarion.edges.errors import EdgeError
from clarion.edges.kafka import KafkaSecurity, Mechanism, Protocol
from clarion.edges.mongodb import MongodbSecurity

log = logging.getLogger(__name__)

_PREFIX: Final = "CLARION_"
_SECRETS: Final = ("jwt_secret", "kafka_password", "mongodb")
# Kubernetes sets variables in each container for the Services of its namespace: CLARION_PORT for one named `clarion`.
_SERVICE_LINK: Final = re.compile(r"^(tcp|udp|sctp)://")
_MIN_SECRET_BYTES: Final = 32  # RFC 7518 section 3.2: an HS256 key is at least as long as its hash

Port = Annotated[int, Meta(ge=0, le=65_535)]
Positive = Annotated[int, Meta(ge=1)]


class SettingsError(ValueError):
    """A setting is missing or wrong; the message says which and what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of every process, with its default. Comments say what a value means where its name does not."""

    env: Literal["production", "dev"] = "production"
    kafka: str = "localhost:9092"
    mongodb: str = "mongodb://localhost:27017/?replicaSet=rs0"  # with user and password, where MongoDB wants them
    database: str = "clarion"

    # Files of TLS for MongoDB, in PEM, as Kafka's below. One that is named turns TLS on.
    mongodb_ca_file: str = ""
    mongodb_cert_file: str = ""
    mongodb_key_file: str = ""
    mongodb_file: str = ""  # names a file with the connection string; its user and password are followed as it changes

    # How Kafka is reached: in the clear (PLAINTEXT), by TLS (SSL), and with a login (SASL_PLAINTEXT, SASL_SSL). Files
    # are PEM: the authority that signs the brokers' certificates (without one, those that the machine trusts), and
    # the client's certificate and key, for mutual TLS. Files that change are read anew for new connections.
    kafka_protocol: Protocol = "PLAINTEXT"
    kafka_ca_file: str = ""
    kafka_cert_file: str = ""
    kafka_key_file: str = ""
    kafka_mechanism: Mechanism = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password: str = ""
    kafka_password_file: str = ""  # names a file with the password, which is read anew for each new connection

    prefix: Annotated[str, Meta(pattern=rf"^[A-Za-z0-9._-]*{END}")] = ""  # of the names of topics and consumer groups
    host: str = "0.0.0.0"  # noqa: S104 - the only way into a container; the local stack sets 127.0.0.1
    port: Port = 0  # 0 is the service's own default: 8080 for ingest, 8081 for a gateway, 8082 for the console
    admin_port: Port = 9400
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # How tokens are checked: by a shared secret of at least 32 bytes (HS256), or by the issuer's key set at a URL.
    jwt_secret: str = ""
    jwks_url: str = ""
    jwt_issuer: str = "clarion"
    jwt_audience: str = "clarion"
    # The longest time for which a token may be valid, in seconds; a token that is valid for longer is refused. A
    # disconnect is remembered for as long.
    token_life_s: Positive = 86_400
    token_leeway_s: Annotated[float, Meta(ge=0, le=600)] = 60  # by how many seconds an issuer's clock may differ
    # The origins of pages that may connect, separated by commas: scheme, host, and the port unless it is the default.
    origins: str = ""
    # The addresses and networks of proxies, separated by commas. Their Forwarded and X-Forwarded-For headers are
    # believed.
    trusted_proxies: str = ""

    partitions_lane: Positive = 16  # a lane's topic has at least so many; a topic that has grown has more
    partitions_deliveries: Positive = 256  # the number of mailboxes, and so the most gateways
    replication: Positive = 3  # how many brokers have a copy of each topic
    generation: Annotated[int, Meta(ge=0, lt=1 << 15)] = 0  # the lowest generation of a topic, which rises by itself

    windows_in_flight: Annotated[int, Meta(ge=1, le=64)] = 4  # how many windows a stream process works on at once

    # Token buckets: a rate is in notifications a second, a burst in notifications. A rate of 0 means no limit.
    sender_rate: Annotated[float, Meta(ge=0)] = 1_000  # for each subject of a token, in each ingest process
    sender_burst: Positive = 2_000
    # For each recipient and lane, by the time at which the broker took a record. The urgent lane has no limit.
    recipient_rate: Annotated[float, Meta(ge=0)] = 10
    recipient_burst: Positive = 50

    # Limits of each gateway; 0, where it is allowed, means no limit.
    connections: Annotated[int, Meta(ge=0)] = 18_000  # for a process that may open 20,000 files
    connections_per_ip: Annotated[int, Meta(ge=0)] = 100
    connections_per_user: Positive = 10
    upgrades_per_s: Annotated[float, Meta(ge=0)] = 500
    upgrades_per_s_per_ip: Annotated[float, Meta(ge=0)] = 50  # from one address; no limit if connections_per_ip is 0
    frames_per_s: Positive = 50  # from one client; acknowledgements and answers to pings do not count
    replay_reads: Positive = 4  # catch-up reads at once; more would only make live deliveries wait
    replay_per_s: Positive = 20_000  # items read for catching up while there are live deliveries, which go first
    # Seconds between two looks of the safety net, which looks for what has been pending for half as long.
    safety_net_s: Annotated[float, Meta(ge=1)] = 60
    drain_s: Annotated[float, Meta(ge=0, le=20)] = 20  # over how many seconds clients are closed at the end

    # Where an OpenTelemetry collector takes OTLP over HTTP, such as http://collector:4318; without one, nothing is
    # exported. It needs the extra `otel`. The SDK's own variables apply too, such as OTEL_EXPORTER_OTLP_HEADERS.
    otlp_endpoint: Annotated[str, Meta(pattern=rf"^(https?://[^/\s]+[^\s]*)?{END}")] = ""
    otlp_metrics_s: Annotated[float, Meta(ge=0)] = 60  # seconds between two exports of all metrics; 0 exports none
    # What part of the requests that bring no trace is sampled, if spans are exported. Others' traces have a flag.
    trace_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    # Sampled notifications a second that an ingest process lets through: of more, the flag is taken away. 0: none.
    traces_per_s: Annotated[float, Meta(ge=0)] = 10

    ingest_url: str = "http://127.0.0.1:8080"
    gateway_url: str = "http://127.0.0.1:8081"  # one or several, separated by commas

    # For operators: the admin ports of all processes, as `name=url[,url]`, separated by blanks. A name is a role, such
    # as gateway or urgent. A host that has several addresses is several processes, as a headless Service has them.
    processes: str = ""
    prometheus: str = ""  # the URL of the Prometheus that scrapes these processes, if there is one

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in _SECRETS)
        return f"Settings({shown})"

    @property
    def kafka_security(self) -> KafkaSecurity:
        """Return how clients of Kafka secure their connections."""
        return KafkaSecurity(**{name: getattr(self, f"kafka_{name}") for name in KafkaSecurity.__struct_fields__})

    @property
    def mongodb_security(self) -> MongodbSecurity:
        """Return how clients of MongoDB secure their connections."""
        return MongodbSecurity(
            uri=self.mongodb,
            uri_file=self.mongodb_file,
            ca_file=self.mongodb_ca_file,
            cert_file=self.mongodb_cert_file,
            key_file=self.mongodb_key_file,
        )

    @property
    def dev(self) -> bool:
        """Return whether this is a development stack."""
        return self.env == "dev"

    @property
    def origin_list(self) -> tuple[str, ...]:
        """Return the origins as browsers write them. Raises ValueError for what is no origin."""
        return tuple(dict.fromkeys(map(origins.normalised, split(self.origins))))

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the networks of the trusted proxies. Raises ValueError for what is no address or network."""
        return tuple(ip_network(text) for text in split(self.trusted_proxies))

    @property
    def gateway_urls(self) -> tuple[str, ...]:
        """Return the URLs of all gateways."""
        return split(self.gateway_url)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, *, knows_users: bool = True) -> "Settings":
        """Read and check the environment.

        Raises a `SettingsError` that names the variable. In production a service that `knows_users` needs a signing
        secret or a key set: one that cannot tell its users apart must not run.
        """
        values = {name: _value(environ, name) for name in cls.__struct_fields__}
        try:
            settings = msgspec.convert({k: v for k, v in values.items() if v is not None}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(_explain(error)) from error
        try:
            settings.kafka_security.check()
            settings.mongodb_security.check()
        except EdgeError as error:
            raise SettingsError(str(error)) from error
        for name, read in (("TRUSTED_PROXIES", "trusted_networks"), ("ORIGINS", "origin_list")):
            try:
                getattr(settings, read)
            except ValueError as error:
                raise SettingsError(f"{_PREFIX}{name}: {error}") from error
        if knows_users and not settings.dev and not settings.jwt_secret and not settings.jwks_url:
            raise SettingsError(
                "CLARION_JWT_SECRET (or CLARION_JWT_SECRET_FILE) or CLARION_JWKS_URL must be set in production, "
                "to check tokens; to try Clarion without them, set CLARION_ENV=dev"
            )
        if settings.jwt_secret and len(settings.jwt_secret.encode()) < _MIN_SECRET_BYTES:
            raise SettingsError(f"CLARION_JWT_SECRET is too short: it must have at least {_MIN_SECRET_BYTES} bytes")
        return settings


def split(text: str) -> tuple[str, ...]:
    """Return the parts of a list that is separated by commas, without blanks and empty parts."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _value(environ: Mapping[str, str], name: str) -> str | None:
    variable = _PREFIX + name.upper()
    file = environ.get(variable + "_FILE")
    if not file:
        value = environ.get(variable)
        if value and _SERVICE_LINK.match(value):
            log.warning(
                "%s=%s is ignored, because Kubernetes sets this variable for a Service of that name: to set it "
                "yourself, write `enableServiceLinks: false` into the pod's spec, or give the Service another name",
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
