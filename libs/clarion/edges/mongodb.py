"""How clients reach MongoDB: its connection string, which may have a user and a password, and TLS by files."""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

import msgspec

from clarion.edges.errors import EdgeError
from clarion.edges.secret_file import Secret
from clarion.edges.tls import TlsFiles

_VARIABLE: Final = "CLARION_MONGODB"
# A user or password with a character that is not encoded ends somewhere in the middle for the driver, and its error
# would quote the rest. So nothing else is handed to the driver.
_FORM: Final = re.compile(
    r"mongodb(?:\+srv)?://(?:(?P<user>[^:@/?#]+)(?::(?P<password>[^:@/?#]*))?@)?[^@/?#]+(?:/[^@/?#]*)?(?:\?[^@#]*)?"
)
_WITHOUT_TLS: Final = re.compile(r"[?&](tls|ssl)=false(&|$)", re.IGNORECASE)


class Login(NamedTuple):
    """Who a client says it is; each is None where the connection string has none."""

    user: str | None
    password: str | None


class MongodbSecurity(msgspec.Struct, frozen=True, kw_only=True):
    """How a client of MongoDB secures its connections.

    The connection string is `uri`, or in the file `uri_file`. `ca_file`, `cert_file` and `key_file` are paths of PEM
    files, as Kafka's are; one that is named turns TLS on. Files are read anew when they have changed.
    """

    uri: str
    uri_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __repr__(self) -> str:
        return "MongodbSecurity()"

    @property
    def tls_files(self) -> TlsFiles:
        """Return the files of TLS."""
        return TlsFiles(_VARIABLE, self.ca_file, self.cert_file, self.key_file)

    @property
    def secret(self) -> Secret:
        """Return the connection string, which is read when it is needed."""
        return Secret(_VARIABLE, self.uri, self.uri_file)

    def read(self) -> str:
        """Return the connection string as it is now. Raises `EdgeError`, which quotes none of it."""
        found = self.secret.read()
        if not _FORM.fullmatch(found):
            raise EdgeError(
                _VARIABLE,
                "is no connection string",
                "write mongodb://user:password@host:27017/?replicaSet=rs0, in which each character of user and "
                "password but letters and digits is encoded, such as %40 for @",
            )
        return found

    def login(self) -> Login:
        """Return user and password as they are now. Raises `EdgeError`, which quotes none of them."""
        found = _FORM.fullmatch(self.read())
        assert found
        return Login(*(part and unquote_plus(part) for part in (found["user"], found["password"])))

    def check(self) -> None:
        """Check that all parts go together, and that files can be used. Raises `EdgeError`."""
        without_tls = _WITHOUT_TLS.search(self.read())
        if without_tls and self.tls_files.any:
            raise EdgeError(
                _VARIABLE, f"turns TLS off by {without_tls[1]}=false, but files of TLS are named", "do one of both"
            )
        self.tls_files.check()
