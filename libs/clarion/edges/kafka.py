"""How clients reach Kafka: in the clear or by TLS, and as whom. Kafka's own words, so that its manuals apply."""

from typing import Final, Literal

import msgspec

from clarion.edges.errors import EdgeError
from clarion.edges.secret_file import Secret
from clarion.edges.tls import TlsFiles

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]

_VARIABLE: Final = "CLARION_KAFKA"


class KafkaSecurity(msgspec.Struct, frozen=True, kw_only=True):
    """How a client of Kafka secures its connections.

    `ca_file`, `cert_file` and `key_file` are paths of PEM files: the authority that signs the brokers' certificates
    (without it, those that the machine trusts), and the client's certificate with its key, for mutual TLS. `password`
    may be in a file, `password_file`. Files are read anew for new connections when they have changed.
    """

    protocol: Protocol = "PLAINTEXT"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = ""
    password: str = ""
    password_file: str = ""

    def __repr__(self) -> str:
        return f"KafkaSecurity({self.protocol}, user={self.user!r})"

    @property
    def has_tls(self) -> bool:
        """Return whether connections are encrypted."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def has_user(self) -> bool:
        """Return whether the client logs in by user and password."""
        return self.protocol.startswith("SASL_")

    @property
    def tls_files(self) -> TlsFiles:
        """Return the files of TLS."""
        return TlsFiles(_VARIABLE, self.ca_file, self.cert_file, self.key_file)

    @property
    def secret(self) -> Secret:
        """Return the password, which is read when a connection needs it."""
        return Secret(f"{_VARIABLE}_PASSWORD", self.password, self.password_file)

    def check(self) -> None:
        """Check that all parts go together, and that files can be used. Raises `EdgeError`.

        What a protocol does not use is refused as well: who names a CA believes that connections are encrypted.
        """
        protocol = f"{_VARIABLE}_PROTOCOL={self.protocol}"
        if self.has_tls:
            self.tls_files.check()
        elif self.tls_files.any:
            cure = "set it to SASL_SSL" if self.has_user else "set it to SSL or SASL_SSL"
            raise EdgeError(protocol, "does not encrypt, but files of TLS are named", f"{cure}, or name no files")
        if self.has_user:
            if not self.user:
                raise EdgeError(f"{_VARIABLE}_USER", f"is missing, which {protocol} needs", "name the user")
            self.secret.read()
        elif self.user or self.password or self.password_file:
            cure = "set it to SASL_SSL" if self.has_tls else "set it to SASL_SSL or SASL_PLAINTEXT"
            raise EdgeError(protocol, "has no login, but a user or a password is given", f"{cure}, or give neither")
