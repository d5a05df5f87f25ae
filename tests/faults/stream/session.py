"""A subscriber's connection over Server-Sent Events: acknowledgements go by POST, to any gateway."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

import httpx2

from clarion.client.network import tls
from clarion.client.subscribing.connection import Connection, Ended
from clarion.client.subscribing.cursor_store import Position
from clarion.contracts.api import frames, streams
from clarion.contracts.api.frames import Ack, ClientFrame, Hello, Pong, Resume, ServerFrame
from tests.streams import events

_ANSWER_S: Final = 10.0
_AGAIN_S: Final = 0.2


class _Closed(Exception):
    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class StreamSession(Connection):
    """Instead of the socket's; `urls` are all gateways, of which any takes what is posted."""

    def __init__(
        self, url: str, urls: Sequence[str], token: str, position: Position, on_frame: Callable[[ServerFrame], None]
    ) -> None:
        super().__init__(url, token, tls(None), position, self._hear)
        self._tell = on_frame
        self._stream_url = url.replace("ws", "http", 1).removesuffix("/v1/ws") + streams.PATH
        self._ack_urls = [one + streams.ACK_PATH for one in urls]
        self._session = ""
        self._tag = 0
        self._due = asyncio.Event()

    async def run(self) -> Ended:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx2.AsyncClient(trust_env=False, timeout=_ANSWER_S, headers=headers) as http:
            works = {asyncio.create_task(self._listen(http)), asyncio.create_task(self._acknowledge(http))}
            try:
                done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
                return done.pop().result()
            finally:
                for work in works:
                    work.cancel()
                await asyncio.gather(*works, return_exceptions=True)

    async def send(self, frame: ClientFrame) -> bool:
        """One at a time is posted, the latest: it stands for all before it."""
        assert isinstance(frame, (Ack, Pong))
        self._tag = frame.tag if isinstance(frame, Ack) else self._tag
        self._due.set()
        return True

    async def _listen(self, http: httpx2.AsyncClient) -> Ended:
        resume = frames.encode(Resume(self._position.cursors, self._position.since)).decode()
        quiet: Any = httpx2.Timeout(_ANSWER_S, read=None)  # how long it may be silent is judged by frames
        try:
            async with http.stream("GET", self._stream_url, params={"resume": resume}, timeout=quiet) as answer:
                if answer.status_code != HTTPStatus.OK:
                    return Ended(1013, f"HTTP {answer.status_code}", float(answer.headers.get("Retry-After", 0)))
                coming = events(answer.aiter_lines())
                return await self._read(lambda: _data(coming))
        except _Closed as closed:
            return Ended(closed.code, closed.reason, self._retry_s)
        except httpx2.TransportError as error:
            return Ended(1006, repr(error), self._retry_s)

    def _hear(self, frame: ServerFrame) -> None:
        if isinstance(frame, Hello):
            self._session = frame.session
        self._tell(frame)

    async def _acknowledge(self, http: httpx2.AsyncClient) -> Ended:
        """Until this stream is known to be none any more."""
        while True:
            await self._due.wait()
            self._due.clear()
            status = 0
            with contextlib.suppress(httpx2.TransportError):
                said = {"session": self._session, "tag": self._tag}
                status = (await http.post(random.choice(self._ack_urls), json=said)).status_code
            if status == HTTPStatus.NOT_FOUND:
                return Ended(1006, "no such stream")
            if status != HTTPStatus.ACCEPTED:
                self._due.set()
                await asyncio.sleep(_AGAIN_S)


async def _data(coming: AsyncIterator[tuple[str, str]]) -> bytes:
    try:
        name, data = await anext(coming)
    except StopAsyncIteration:
        raise _Closed(1006, "the stream ended") from None
    if name == "close":
        raise _Closed(**json.loads(data))
    return data.encode()
