"""The arguments of every client of Kafka that secure its connections, and the connecting that they need.

aiokafka takes a password and a TLS context once, when a client is made, and keeps them for as long as the client lives.
Here a client gets objects in their place that give both anew for each connection, so that a rotation needs no restart.
aiokafka has no setting for that, so this module puts a function of its own in the place where it connects.
"""

import ssl
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import aiokafka.client
from aiokafka import conn
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from clarion.edges.errors import EdgeError
from clarion.edges.kafka import KafkaSecurity
from clarion.edges.secret_file import Secret
from clarion.edges.tls import FreshTls
from clarion.settings import Settings

_FAILURES_KEPT: Final = 3

_failures: Final[ContextVar["deque[str] | None"]] = ContextVar("failures", default=None)


def arguments(settings: Settings) -> dict[str, Any]:
    """Return the arguments that secure a client of aiokafka. Every client has these and no others."""
    return of(settings.kafka_security)


def of(security: KafkaSecurity) -> dict[str, Any]:
    """Return the arguments of one client that is secured in this way."""
    aiokafka.client.create_conn = _connect  # type: ignore[attr-defined]
    found: dict[str, Any] = {"security_protocol": security.protocol}
    if security.has_tls:
        found["ssl_context"] = FreshTls(security.tls_files)
    if security.has_user:
        found |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.user,
            "sasl_plain_password": security.secret,
        }
    return found


async def _connect(host: str, port: int, **options: Any) -> Any:
    """Connect to a broker by what files have now. Raises KafkaError, OSError or TimeoutError, as aiokafka expects."""
    try:
        tls, password = options.get("ssl_context"), options.get("sasl_plain_password")
        if isinstance(tls, FreshTls):
            options["ssl_context"] = tls.context()
        if isinstance(password, Secret):
            options["sasl_plain_password"] = password.read()
        return await conn.create_conn(host, port, **options)
    except EdgeError as error:
        _note(host, port, error)
        raise KafkaConnectionError(str(error)) from error
    except Exception as error:
        _note(host, port, error)
        raise


def _note(host: str, port: int, error: Exception) -> None:
    if (noted := _failures.get()) is not None:
        noted.append(f"{host}:{port}: {in_words(error)}")


@contextmanager
def noting() -> Generator["deque[str]"]:
    """Yield the last failures to connect, in words, of what is started in this block: aiokafka only logs them."""
    noted: deque[str] = deque(maxlen=_FAILURES_KEPT)
    token = _failures.set(noted)
    try:
        yield noted
    finally:
        _failures.reset(token)


def in_words(error: Exception) -> str:
    """Return why a connection did not come about, with the settings to look at."""
    if isinstance(error, KafkaConnectionError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # of a connection that was closed while something was asked
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); see CLARION_KAFKA_CA_FILE"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason}); see CLARION_KAFKA_PROTOCOL and CLARION_KAFKA_CERT_FILE"
    if isinstance(error, SaslAuthenticationFailed):
        return "user or password are refused; see CLARION_KAFKA_USER and CLARION_KAFKA_PASSWORD_FILE"
    if isinstance(error, UnsupportedSaslMechanismError):
        return "it has no such login; see CLARION_KAFKA_MECHANISM and CLARION_KAFKA_PROTOCOL"
    if isinstance(error, KafkaConnectionError | ConnectionResetError | EOFError):
        return "it ended the connection; see whether CLARION_KAFKA_PROTOCOL is that of the port"
    return str(error) or type(error).__name__
