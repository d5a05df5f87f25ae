"""The arm to beat: a Starlette WebSocket endpoint on uvicorn, with the gateway's token check, reader and receipts.

What its documentation shows: a coroutine a connection that awaits what the client says; one reader that sends. It reads
the mailbox that it is given, has no store, no credit and no catching up. Garbage is collected as seldom as in the
gateway.

`python -m tests.bench.gateway.plain MAILBOX`
"""

import asyncio
import gc
import sys
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from clarion.broker import clients
from clarion.contracts import limits, times
from clarion.contracts.api import frames
from clarion.contracts.api.frames import BEARER_PREFIX, SUBPROTOCOL
from clarion.contracts.ids import new_id
from clarion.contracts.records import deliveries, receipts
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.security.verifier import Verifier
from clarion.settings import Settings
from tests.bench.stream.plain_reader import items_of, to_the_end


@dataclass(slots=True)
class Client:
    socket: WebSocket
    user: str
    session: str = field(default_factory=new_id)
    tag: int = 0
    sent: deque[tuple[int, list[str]]] = field(default_factory=deque[tuple[int, list[str]]])

    async def send(self, items: list[deliveries.Addressed]) -> None:
        self.tag += 1
        self.sent.append((self.tag, [item.id for item in items]))
        joined = b",".join(bytes(item.body) for item in items)
        text = b'{"op":"batch","tag":%d,"items":[%b],"since":null}' % (self.tag, joined)
        await self.socket.send_text(text.decode())

    def handled(self, tag: int) -> list[str]:
        ids: list[str] = []
        while self.sent and self.sent[0][0] <= tag:
            ids += self.sent.popleft()[1]
        return ids


def app(settings: Settings, mailbox: int) -> Starlette:
    names, producer = Names(settings.prefix), clients.producer(settings)
    verifier = Verifier(settings)
    rooms: defaultdict[str, list[Client]] = defaultdict(list)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        consumer: Any = clients.mailbox_consumer(settings)
        await producer.start()
        await to_the_end(consumer, names.deliveries_bulk, mailbox)
        reading = asyncio.create_task(read(consumer))
        yield
        reading.cancel()

    async def read(consumer: Any) -> None:
        async for items in items_of(consumer):
            await deliver(items)

    async def deliver(items: list[deliveries.Addressed]) -> None:
        by_user: defaultdict[str, list[deliveries.Addressed]] = defaultdict(list)
        for item in items:
            by_user[item.recipient].append(item)
        for user, its in by_user.items():
            for client in rooms.get(user, ()):
                await client.send(its)

    async def endpoint(socket: WebSocket) -> None:
        offered = [one for one in socket.scope["subprotocols"] if one.startswith(BEARER_PREFIX)]
        claims = await verifier.verify(offered[0].removeprefix(BEARER_PREFIX))
        await socket.accept(SUBPROTOCOL)
        client = Client(socket, claims.subject)
        rooms[client.user].append(client)
        hello = frames.Hello(client.session, limits.PING_S, 64, 2**18, 0, resumed=False, degraded=False)
        await socket.send_text(frames.encode(hello).decode())
        try:
            while True:
                frame = frames.decode_client((await socket.receive_text()).encode())
                if isinstance(frame, frames.Ack) and (ids := client.handled(frame.tag)):
                    receipt = Receipt(client.user, Op.DELIVERED, ids, times.now(), client.session)
                    await producer.send(names.receipts, receipts.encode(receipt), key=client.user.encode())
        except WebSocketDisconnect:
            rooms[client.user].remove(client)

    return Starlette(routes=[WebSocketRoute("/v1/ws", endpoint)], lifespan=lifespan)


async def main(mailbox: int) -> None:
    settings = Settings.from_env()
    config = uvicorn.Config(
        app(settings, mailbox),
        host="127.0.0.1",
        port=settings.port,
        ws="websockets",
        ws_ping_interval=limits.PING_S,
        ws_ping_timeout=limits.PONG_S,
        log_config=None,
        access_log=False,
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(100_000)
    uvloop.run(main(int(sys.argv[1])))
