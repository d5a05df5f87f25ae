"""A device of Clarion: the Python SDK, with its position kept as an application keeps it from one start to the next."""

from collections.abc import Callable

import msgspec

from clarion.client import Position, State, Subscriber
from clarion.client.subscribing.connection import Connection, Ended
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.compare.clients.device import Tell


class _Noted(Connection):
    """A connection that keeps why it has ended."""

    ended: Ended | None = None

    async def run(self) -> Ended:
        self.ended = await super().run()
        return self.ended


class _Watched(Subscriber):
    """A subscriber whose connections can be cut, and asked why they have ended."""

    last: _Noted | None = None

    def _connection_at(self, url: str, token: str, position: Position) -> Connection:
        self.last = _Noted(url, token, self._tls, position, self._on_frame)
        return self.last


class KeptPosition:
    """A `CursorStore` that outlives the device, as one on a disk does: whoever runs the fleets has it."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    async def load(self) -> Position:
        """Return what was kept last."""
        kept = self._tell.position
        return Position() if kept is None else msgspec.json.decode(kept, type=Position)

    async def save(self, position: Position) -> None:
        """Have a position kept."""
        self._tell.kept(msgspec.json.encode(position).decode())


class ClarionDevice:
    """One user's subscriber."""

    def __init__(self, tell: Tell, settings: Settings) -> None:
        self._tell = tell
        token = mint(settings, sub=tell.user, scope=SUBSCRIBE, ttl_s=7_200)
        self._subscriber = _Watched(
            settings.gateway_urls, token=token, storage=KeptPosition(tell), on_state=self._enters
        )

    async def run(self) -> None:
        """Hand out what comes until cancelled."""
        async with self._subscriber as notifications:
            async for notification in notifications:
                self._tell.got(str(notification.data["key"]))

    def cut(self) -> None:
        """Abort the connection's transport."""
        last = self._subscriber.last
        if last is not None and last._connection is not None:
            last._connection.transport.abort()

    def _enters(self, state: State) -> None:
        if state is State.LIVE:
            self._tell.live()
        elif state is State.WAITING:
            ended = self._subscriber.last.ended if self._subscriber.last else None
            self._tell.ended(f"{ended.code} {ended.reason}" if ended else "it gave no reason")


def maker() -> Callable[[Tell], ClarionDevice]:
    """Return what makes devices."""
    settings = Settings.from_env()
    return lambda tell: ClarionDevice(tell, settings)
