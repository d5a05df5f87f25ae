"""Frames that no client of ours would send, handshakes that do not get on: a gateway closes or goes on, and no more.

After each frame comes a ping with its number: the highest that is answered tells how many frames were looked at.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from websockets.frames import Opcode

from clarion.contracts.api import frames
from clarion.contracts.api.frames import Resume
from clarion.security.guarded_http import HEADERS_WITHIN_S
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.faults.gateway.gateways import Gateway
from tests.faults.gateway.raw_client import Raw, Refused, frame, opened, source
from tests.report import Row, at_least, at_most

AT_ONCE: Final = 48
TOGETHER: Final = 12  # frames a connection, below what a second allows
USERS: Final = 200
HANDSHAKES: Final = 2_000
_UNANSWERED_S: Final = 1.0  # a frame that says it is longer than it is: nothing comes for as long as nothing follows
_MIB: Final = 2**20


@dataclass(slots=True)
class Tally:
    looked_at: int = 0
    connections: int = 0
    refused: int = 0
    codes: dict[int, int] = field(default_factory=dict[int, int])
    cut_off: int = 0  # slow handshakes


async def attack(
    settings: Settings, team: Sequence[Gateway], count: int, chance: random.Random, progress: Callable[[str], None]
) -> list[Row]:
    before, most = sum(gateway.resident() for gateway in team), 0
    tally, began = Tally(), time.perf_counter()
    turns = itertools.cycle(team)
    async with asyncio.TaskGroup() as tasks:
        for number in range(HANDSHAKES):
            tasks.create_task(_slow_handshake(tally, next(turns).port, number))
        for number in range(AT_ONCE):
            own = random.Random(chance.random())  # whoever is faster changes nobody's frames
            tasks.create_task(_keep_on(settings, tally, next(turns).port, own, count, number))
        while tally.looked_at < count or tally.cut_off < HANDSHAKES:
            await asyncio.sleep(1)
            most = max(most, sum(gateway.resident() for gateway in team))
            if int(time.perf_counter() - began) % 10 == 0:
                progress(f"{tally.looked_at:,} frames looked at, {tally.cut_off:,} slow handshakes cut off")
    progress(f"closed with {dict(sorted(tally.codes.items()))}")
    return [
        at_least("fuzz: frames looked at", tally.looked_at, count, "frames"),
        Row("fuzz: connections", tally.connections, ""),
        Row("fuzz: upgrades refused", tally.refused, ""),
        at_least("fuzz: slow handshakes cut off", tally.cut_off, HANDSHAKES, ""),
        at_most("fuzz: memory of a gateway more", (most - before) / len(team) / _MIB, 64, "MiB"),
    ]


async def _keep_on(settings: Settings, tally: Tally, port: int, chance: random.Random, count: int, number: int) -> None:
    tokens = [mint(settings, sub=f"fuzz-{n}", scope=SUBSCRIBE, ttl_s=7_200) for n in range(number, USERS, AT_ONCE)]
    while tally.looked_at < count:
        tally.connections += 1
        try:
            async with opened(port, chance.choice(tokens)) as raw:
                await _connection(raw, tally, chance)
        except (Refused, ConnectionError, asyncio.IncompleteReadError):
            tally.refused += 1
            await asyncio.sleep(0.1)


async def _connection(raw: Raw, tally: Tally, chance: random.Random) -> None:
    if chance.random() < 0.8:  # the rest breaks rules before it is greeted
        raw.writer.write(frame(1, frames.encode(Resume())))
        if not await raw.hello():
            return
    sent = b""
    for number in range(TOGETHER):
        sent += fuzzed(chance) + frame(9, b"%d" % number)
    raw.writer.write(sent)
    looked_at = 0
    while looked_at < TOGETHER and not raw.code:
        try:
            async with asyncio.timeout(_UNANSWERED_S):
                found = await raw.frames()
        except TimeoutError:
            break
        for one in found:
            if one.opcode is Opcode.PONG and bytes(one.data).isdigit():
                looked_at = max(looked_at, int(one.data) + 1)
    tally.looked_at += min(looked_at + 1, TOGETHER)  # the one that ended it was looked at, too
    tally.codes[raw.code] = tally.codes.get(raw.code, 0) + 1


async def _slow_handshake(tally: Tally, port: int, number: int) -> None:
    """A byte a second, until the gateway has had enough."""
    await asyncio.sleep(number / HANDSHAKES * 10)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source())
    began = time.monotonic()
    try:
        async with asyncio.timeout(3 * HEADERS_WITHIN_S):
            ending = asyncio.create_task(reader.read())
            for byte in itertools.cycle(b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nX-Slow: y\r\n"):
                if ending.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.wait([ending], timeout=1)
        await asyncio.gather(ending, return_exceptions=True)
        tally.cut_off += time.monotonic() - began >= HEADERS_WITHIN_S - 1
    finally:
        writer.transport.abort()


# ---- frames


def fuzzed(chance: random.Random) -> bytes:
    """One frame, or a message in several."""
    kind = chance.random()
    if kind < 0.70:
        return _in_pieces(_harmless(chance), chance)
    if kind < 0.85:
        return frame(1, _mutated(_harmless(chance), chance))
    return _raw(chance)


def _harmless(chance: random.Random) -> bytes:
    """What the protocol allows, in words that no SDK uses."""
    space = chance.choice(["", " ", "\n\t", " " * 50])
    ids = ",".join(f'"{UUID(int=chance.getrandbits(128), version=4)}"' for _ in range(chance.choice([1, 1, 2, 20])))
    text = chance.choice(
        [
            f'{{{space}"op"{space}:{space}"pong"{space}}}',
            '{"op":"\\u0070ong"}',
            f'{{"ids":[{ids}],{space}"op":"read"}}',
            f'{{"op":"archive","ids":{space}[{ids}]}}',
            f'{{"op":"unread","ids":[{ids}]{space}}}',
        ]
    )
    return text.encode()


def _in_pieces(text: bytes, chance: random.Random) -> bytes:
    """As one frame, or as fragments with empty ones, and pings and pongs between."""
    pieces: list[bytes] = []
    while text and chance.random() < 0.5:
        cut = chance.randrange(len(text) + 1)
        pieces.append(text[:cut])
        text = text[cut:]
    pieces.append(text)
    said = b""
    for number, piece in enumerate(pieces):
        said += frame(0 if number else 1, piece, first=0x80 if number == len(pieces) - 1 else 0)
        if number < len(pieces) - 1 and chance.random() < 0.3:
            said += frame(chance.choice([9, 10]), chance.randbytes(chance.randrange(126)))
    return said


def _mutated(text: bytes, chance: random.Random) -> bytes:
    """Valid once: bytes changed, lost, doubled; or another value where one stood."""
    changed = bytearray(text)
    kind = chance.randrange(6)
    at = chance.randrange(len(changed))
    if kind == 0:
        changed[at] = chance.randrange(256)
    elif kind == 1:
        del changed[at : at + chance.randrange(1, 8)]
    elif kind == 2:
        changed[at:at] = chance.randbytes(chance.randrange(1, 40))
    elif kind == 3:
        changed += changed[at:]
    else:
        return chance.choice(list(_VALUES)) if kind == 4 else bytes(changed[:at])
    return bytes(changed)


def _values() -> Iterator[bytes]:
    yield from (b"", b"null", b"[]", b"{}", b'"pong"', b"[" * 5_000, b'{"op":' * 5_000, b"\x00" * 100, b"1e999")
    for op in (b'"ack"', b'"resume"', b'"auth"', b'"dance"', b"7", b"null", b'["pong"]', b'"Pong"', b'"hello"'):
        yield b'{"op":%b}' % op
    for tag in (b"0", b"-1", b"1e3", b"18446744073709551616", b"true", b"[1]"):
        yield b'{"op":"ack","tag":%b}' % tag
    for cursors in (b'{"low":[0,281474976710656]}', b'{"low":[32768,0]}', b'{"x":[0,0]}', b"[[0,0]]", b'{"low":[0]}'):
        yield b'{"op":"resume","cursors":%b,"since":"9999-99-99"}' % cursors
    yield b'{"op":"auth","token":"%b"}' % (b"x" * 16_384)
    yield b'{"op":"auth","token":"eyJhbGciOiJub25lIn0.e30."}'
    yield b'{"op":"read","ids":["%b"]}' % b'","'.join([b"019353f5-0f2a-7c11-8a5b-0123456789ab"] * 501)
    yield b'{"op":"pong","more":%b}' % (b'{"a":' * 1_000 + b"1" + b"}" * 1_000)
    yield b'{"op":"pong","op":"read"}'


_VALUES: Final = tuple(_values())


def _raw(chance: random.Random) -> bytes:
    """What RFC 6455 does not allow, and a little that it does."""
    payload = chance.randbytes(chance.choice([0, 1, 2, 60, 125, 126, 300, 70_000]))
    return chance.choice(
        [
            lambda: chance.randbytes(chance.randrange(1, 64)),
            lambda: frame(chance.choice([3, 4, 7, 11, 15]), payload),
            lambda: frame(1, payload, first=0x80 | chance.choice([0x10, 0x20, 0x40, 0x70])),
            lambda: frame(1, payload, mask=b""),
            lambda: frame(0, payload),
            lambda: frame(2, payload),
            lambda: frame(1, payload, first=0) + frame(1, payload),
            lambda: frame(chance.choice([8, 9, 10]), payload[:200], first=0),
            lambda: frame(9, b"x" * 126),
            lambda: frame(8, chance.choice([b"", b"x", b"\x03\xe8", b"\x03\xed", b"\x00\x00", b"\x03\xe8\xff\xfe"])),
            lambda: frame(1, b"\xff\xfe\xed\xa0\x80"),
            lambda: frame(1, b"x", size=chance.choice([2**16 + 1, 2**31, 2**63 - 1, 2**64 - 1])),
            lambda: b"".join(frame(0 if n else 1, b"x" * 1_000, first=0) for n in range(70)),
            lambda: frame(9, b"x" * 125) * 200,
        ]
    )()
