"""Secures the connections of a client of MongoDB, and has it follow files that change.

pymongo reads files of TLS and the connection string once, when a client is made. A rotation would need a restart. So
each client looks at the files before each heartbeat, every ten seconds or sooner, and connects by what they have then.
Connections that there are stay as they are: MongoDB goes on to serve whom it let in.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from pymongo.auth_shared import MongoCredential
from pymongo.client_options import ClientOptions
from pymongo.errors import ConfigurationError
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

from clarion.edges.errors import EdgeError
from clarion.edges.mongodb import MongodbSecurity
from clarion.edges.watched_files import WatchedFiles
from clarion.settings import Settings, SettingsError

log = logging.getLogger(__name__)

Client = TypeVar("Client")


def secured(
    settings: Settings, make: Callable[..., Client], options_of: Callable[[Client], ClientOptions], **options: Any
) -> Client:
    """Return the client that `make` makes of the connection string and `options`, secured as `settings` say.

    Raises `SettingsError`, which quotes nothing of the connection string.
    """
    security = settings.mongodb_security
    follower = _Follower(security)
    if security.tls_files.any:
        options["tls"] = True
    if security.ca_file:
        options["tlsCAFile"] = security.ca_file  # else the authorities that the machine trusts were trusted, too
    if follower.has_files:
        options["event_listeners"] = [*options.get("event_listeners", ()), follower]
    try:
        client = make(security.read(), **options)
        if follower.has_files:
            follower.attach(options_of(client))
    except (EdgeError, OSError) as error:
        raise SettingsError(str(error)) from error
    except (ConfigurationError, ValueError) as error:
        # not `from error`: the driver quotes what it cannot read, which may be a part of a password
        raise SettingsError(
            f"CLARION_MONGODB is refused by the driver ({type(error).__name__}): see that its hosts have ports, and "
            "that its options exist, such as in mongodb://user:password@host:27017/?replicaSet=rs0"
        ) from None
    return client


class _Follower(ServerHeartbeatListener):
    """Gives a client's new connections what the files have."""

    def __init__(self, security: MongodbSecurity) -> None:
        self._security: Final = security
        files = (security.uri_file, security.ca_file, security.cert_file, security.key_file)
        self._watched: Final = WatchedFiles(files)
        self._pool: Any = None

    @property
    def has_files(self) -> bool:
        """Return whether there are files to follow."""
        return bool(self._watched.paths)

    def attach(self, options: ClientOptions) -> None:
        """Follow the files for the client of these options. Raises `EdgeError` or OSError if one cannot be used."""
        self._pool = options.pool_options
        self._follow()

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Look at the files before a heartbeat, which may need a new connection itself."""
        if self._pool is None:
            return
        try:
            self._follow()
        except (EdgeError, OSError) as error:
            log.warning("new secrets of MongoDB cannot be used, and the former ones stay in use: %s", error)

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Do nothing."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Do nothing."""

    def _follow(self) -> None:
        if (stamp := self._watched.changed()) is not None:
            self._use_files()
            self._watched.take(stamp)

    def _use_files(self) -> None:
        if context := self._pool._ssl_context:
            self._security.tls_files.load_into(context)
        known: MongoCredential | None = self._pool._credentials
        if not self._security.uri_file or known is None:
            return
        login = self._security.login()
        if login != (known.username, known.password):
            # the old cache has keys that were made of the old password
            no_cache = type(cast("Any", known).cache)()
            fresh = known._replace(username=login.user, password=login.password, cache=no_cache)
            self._pool._PoolOptions__credentials = fresh  # the driver has no other way to a new password
