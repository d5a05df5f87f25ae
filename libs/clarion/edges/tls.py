"""TLS contexts of clients, made of PEM files: an own CA, and a certificate with its key for mutual TLS."""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clarion.edges.errors import EdgeError
from clarion.edges.watched_files import WatchedFiles

log = logging.getLogger(__name__)

_PEM: Final = "-----BEGIN "


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a TLS client, each empty or a path.

    Without `ca` the machine's own authorities are trusted. `variable` is what the names of the settings begin with,
    such as CLARION_KAFKA; errors name the settings by it.
    """

    variable: str
    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def any(self) -> bool:
        """Return whether a file is named."""
        return bool(self.ca or self.cert or self.key)

    def check(self) -> None:
        """Load all files once. Raises `EdgeError`."""
        self.load_into(self.context())

    def context(self) -> ssl.SSLContext:
        """Return a context that checks the server's certificate and name, with no certificate of its own yet.

        Raises `EdgeError`.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.ca:
            context.load_default_certs()
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Have `context` trust the CA, and present the certificate. Raises `EdgeError`.

        It may have loaded other files before: its next connections present the new certificate.
        """
        if bool(self.cert) != bool(self.key):
            missing, there = ("KEY", "CERT") if self.cert else ("CERT", "KEY")
            raise EdgeError(
                f"{self.variable}_{missing}_FILE",
                f"is missing, but {self.variable}_{there}_FILE is set",
                "name both files, the client's certificate and its key",
            )
        if self.ca:
            self._trust(context)
        if self.cert:
            self._present(context)

    def _trust(self, context: ssl.SSLContext) -> None:
        variable = f"{self.variable}_CA_FILE"
        text = _read(variable, self.ca)
        try:
            context.load_verify_locations(cadata=text)
        except ssl.SSLError as error:
            raise EdgeError(
                f"{variable}={self.ca}", f"has no certificate that can be read ({error.reason})", "write it as PEM"
            ) from error

    def _present(self, context: ssl.SSLContext) -> None:
        for name, path in (("CERT", self.cert), ("KEY", self.key)):
            _read(f"{self.variable}_{name}_FILE", path)
        try:
            context.load_cert_chain(self.cert, self.key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            why = error.reason if isinstance(error, ssl.SSLError) else str(error)
            raise EdgeError(
                f"{self.variable}_CERT_FILE={self.cert}",
                f"and {self.variable}_KEY_FILE={self.key} cannot be used together ({why})",
                "give the certificate, with what comes between it and its CA below it, and the key that belongs to "
                "it, without a password",
            ) from None  # the cause may quote a line of the key


class FreshTls:
    """A client's TLS context, made anew for the next connection when its files have changed.

    Files that cannot be used, as while they are being replaced, are told in the log, and the former ones stay in use.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files: Final = files
        self._watched: Final = WatchedFiles((files.ca, files.cert, files.key))
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection. Raises `EdgeError` or OSError if there never was a usable one."""
        try:
            stamp = self._watched.changed()
            if self._context is None or stamp is not None:
                fresh = self._files.context()
                self._files.load_into(fresh)
                self._context = fresh
                if stamp is not None:
                    self._watched.take(stamp)
        except (EdgeError, OSError) as error:
            if self._context is None:
                raise
            log.warning("new certificates cannot be used, and the former ones stay in use: %s", error)
        return self._context


def _read(variable: str, path: str) -> str:
    """Return the text of a PEM file. Raises `EdgeError`."""
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise EdgeError(f"{variable}={path}", f"cannot be read ({why})", "name a PEM file that exists") from None
    if _PEM not in text:
        raise EdgeError(f"{variable}={path}", "has nothing in PEM", f"write it with lines that begin with {_PEM}…")
    return text


def _no_password() -> str:
    raise ValueError("the key has a password")
