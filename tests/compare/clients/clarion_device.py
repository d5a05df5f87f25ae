"""A device of Clarion: the Python SDK, with its position kept as an application keeps it from one start to the next."""

from collections.abc import Callable

from clarion.client import InMemory, State, Subscriber
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.compare.clients.device import Tell


class ClarionDevice:
    """One user's subscriber."""

    def __init__(self, tell: Tell, settings: Settings, kept: InMemory) -> None:
        self._tell = tell
        self._before = State.CLOSED
        token = mint(settings, sub=tell.user, scope=SUBSCRIBE, ttl_s=7_200)
        self._subscriber = Subscriber(settings.gateway_urls, token=token, storage=kept, on_state=self._enters)

    async def run(self) -> None:
        """Hand out what comes until cancelled."""
        async with self._subscriber as notifications:
            async for notification in notifications:
                self._tell.got(str(notification.data["key"]))

    def cut(self) -> None:
        """Abort the connection's transport."""
        connection = self._subscriber._connection
        if connection is not None and connection._connection is not None:
            connection._connection.transport.abort()

    def _enters(self, state: State) -> None:
        if state is State.LIVE:
            self._tell.live()
        elif state is State.WAITING:
            self._tell.ended("the connection was lost" if self._before is State.LIVE else "no connection was made")
        self._before = state


def maker() -> Callable[[Tell], ClarionDevice]:
    """Return what makes devices; one user's devices have one position, one after the other."""
    settings, kept = Settings.from_env(), dict[str, InMemory]()
    return lambda tell: ClarionDevice(tell, settings, kept.setdefault(tell.user, InMemory()))
