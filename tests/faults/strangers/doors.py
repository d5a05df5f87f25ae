"""What strangers do at HTTP doors and sockets: odd tokens and requests, unread answers, clients that vanish."""

import asyncio
import base64
import hashlib
import hmac
import random
import time
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Final

from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from tests.faults.gateway.raw_client import source, upgrade

_ANSWER_S: Final = 20.0
_NO_REDIRECT: Final = (*range(200, 300), *range(400, 500))
_JSON: Final = "content-type: application/json\r\n"
_GOOD: Final = '{"recipient":"nobody","type":"x","message":"hi"}'


@dataclass(slots=True)
class Doors:
    """Ports of the services, and the answers that no stranger may get: redirects, and failures of ours.

    Without ingest its port is 0.
    """

    settings: Settings
    ingest: int
    gateways: Sequence[int]
    answers: Counter[int] = field(default_factory=Counter[int])
    wrong: list[str] = field(default_factory=list[str])

    def note(self, what: str, status: int, expected: Container[int] = range(400, 500)) -> None:
        """`status` is 0 when the connection ended without an answer. 429 and 503 are always an answer."""
        self.answers[status] += 1
        if status not in expected and status not in (429, 503):
            self.wrong.append(f"{what}: {status}")


async def odd_tokens(doors: Doors, chance: random.Random) -> None:
    """Each at every door that looks at tokens."""
    for name, token in _tokens(doors.settings):
        gateway = chance.choice(doors.gateways)
        authorization = f"authorization: Bearer {token}\r\n"
        asked = [(gateway, _get("/v1/inbox", authorization))]
        if doors.ingest:
            asked.append((doors.ingest, _post("/v1/notifications", _GOOD, authorization + _JSON)))
        for port, request in asked:
            doors.note(f"token {name} at {request[:24]!r}", await _ask(port, request))
        # the socket is accepted first and closed then, or refused
        doors.note(f"token {name} at the socket", await _ask(gateway, upgrade(gateway, token)), range(101, 500))
        stream = _get("/v1/stream", authorization)
        doors.note(f"token {name} at the stream", await _ask(gateway, stream), range(200, 500))


async def odd_requests(doors: Doors, chance: random.Random) -> None:
    """Requests that break a rule each, with a good token."""
    token = f"authorization: Bearer {_publisher(doors.settings)}\r\n"
    large = "x" * 300_000
    bodies = (
        *("", "null", "[]", "{", '"text"', "1e999", '{"recipient":"a","type":"x","message":"hi","data":{"n":1e999}}'),
        *('{"recipient":"..","type":"x","message":"hi"}', '{"recipient":"a","type":"x","message":"\u3164"}'),
        *('{"recipient":"a","type":"x","message":"hi","deliver_at":"yesterday"}', large, "[" * 10_000),
        *('{"recipient":"\\ud800","type":"x","message":"hi"}', '{"recipient":"a","recipients":[],"message":"hi"}'),
    )
    for body in bodies:
        request = _post("/v1/notifications", body, token + _JSON)
        doors.note(f"body {body[:40]!r}", await _ask(doors.ingest, request))
    for path in ("/v1/notifications/", "//v1/notifications", "/v1//notifications", "/v1/notifications/%2e%2e", "/../"):
        status = await _ask(doors.ingest, _post(path, _GOOD, token + _JSON))
        doors.note(f"path {path}", status, _NO_REDIRECT)
    port = chance.choice(doors.gateways)
    h2c = "connection: Upgrade\r\nupgrade: h2c\r\n"
    doors.note(
        "h2c", await _ask(port, _get("/v1/inbox/count", _reader(doors.settings, "stranger-1") + h2c)), range(200, 201)
    )
    for noise in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 50,
    ):
        for one in (doors.ingest, port):
            doors.answers[await _ask(one, noise, within_s=2)] += 1


async def upgrades_without_a_token(doors: Doors, chance: random.Random, count: int) -> None:
    """From one address, as fast as they are answered."""
    port = chance.choice(doors.gateways)
    request = upgrade(port, "none").replace(b", bearer.none", b"")
    address = source()
    for _ in range(count // 20):
        found = await asyncio.gather(*(_ask(port, request, address=address) for _ in range(20)))
        for status in found:
            doors.note("an upgrade without a token", status, range(101, 500))


async def unread(doors: Doors, chance: random.Random, count: int) -> None:
    """Ask for pages and read none of them: some close at once, some stay and vanish."""
    writers: list[asyncio.StreamWriter] = []
    user = f"stranger-{chance.randrange(20)}"
    request = _get("/v1/inbox?limit=200", _reader(doors.settings, user))
    for number in range(count):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", chance.choice(doors.gateways), local_addr=source())
        except OSError:
            continue
        writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        writer.write(request)
        if number % 2:
            writer.close()
        else:
            writers.append(writer)
    await asyncio.sleep(2)
    for writer in writers:
        writer.transport.abort()


async def half_open(doors: Doors, chance: random.Random, count: int) -> None:
    """Send half of a request, or half of a frame, and vanish without a word."""
    token = mint(doors.settings, sub=f"stranger-{chance.randrange(20)}", scope=SUBSCRIBE, ttl_s=600)
    for number in range(count):
        port = chance.choice([doors.ingest or doors.gateways[0], *doors.gateways])
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source())
        except OSError:
            continue
        if number % 3 == 0:
            writer.write(_post("/v1/notifications", _GOOD, _JSON)[:-9])
        elif number % 3 == 1:
            writer.write(b"GET /v1/ws HTTP/1.1\r\nhost: x\r\nx-half: ")
        else:
            writer.write(upgrade(port, token))
            writer.write(b"\x81\xfe\xff\xff\x00\x00\x00\x00half a frame")
        await asyncio.sleep(0.01)
        writer.transport.abort()
        del reader


def _tokens(settings: Settings) -> list[tuple[str, str]]:
    now = int(time.time())
    claims = f'"iss":"{settings.jwt_issuer}","aud":"{settings.jwt_audience}","iat":{now},"scope":"subscribe publish"'
    good, exp = f'{{{claims},"sub":"stranger-0"', f',"exp":{now + 600}}}'
    payloads = {
        "half an emoji": f'{{{claims},"sub":"\\ud800x"{exp}',
        "empty subject": f'{{{claims},"sub":""{exp}',
        "a number for a subject": f'{{{claims},"sub":7{exp}',
        "a long subject": f'{{{claims},"sub":"{"s" * 5_000}"{exp}',
        "dots": f'{{{claims},"sub":".."{exp}',
        "an endless life": good + ',"exp":1e999}',
        "a huge life": good + f',"exp":{10**400}}}',
        "no life": good + "}",
        "expired": good + f',"exp":{now - 3_600}}}',
        "another audience": good.replace(settings.jwt_audience, "others") + exp,
        "not an object": "[1]",
        "not JSON": "{",
        "not UTF-8": "\udcff",
        "deep": "[" * 5_000,
    }
    header = '{"alg":"HS256","typ":"JWT"}'
    signed = [(name, _sign(settings, header, payload)) for name, payload in payloads.items()]
    whole = good + exp
    return [
        *signed,
        ("unsigned", _encode('{"alg":"none"}') + "." + _encode(whole) + "."),
        ("another algorithm", _sign(settings, '{"alg":"HS512"}', whole)),
        ("a strange key", _sign(settings, '{"alg":"RS256","kid":"\\ud800"}', whole)),
        ("a forged signature", _sign(settings, header, whole)[:-4] + "AAAA"),
        ("no token at all", "x"),
        ("large", "a" * 12_000),
    ]


def _sign(settings: Settings, header: str, payload: str) -> str:
    signing = f"{_encode(header)}.{_encode(payload)}"
    digest = hmac.new(settings.jwt_secret.encode(), signing.encode(), hashlib.sha256).digest()
    return f"{signing}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogateescape")).rstrip(b"=").decode()


def _publisher(settings: Settings) -> str:
    return mint(settings, sub="stranger", scope=PUBLISH, ttl_s=600)


def _reader(settings: Settings, user: str) -> str:
    return f"authorization: Bearer {mint(settings, sub=user, scope=SUBSCRIBE, ttl_s=600)}\r\n"


def _get(path: str, headers: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: stranger.example\r\n{headers}\r\n".encode()


def _post(path: str, body: str, headers: str) -> bytes:
    content = body.encode()
    head = f"POST {path} HTTP/1.1\r\nhost: stranger.example\r\n{headers}content-length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def _ask(
    port: int, request: bytes, *, address: tuple[str, int] | None = None, within_s: float = _ANSWER_S
) -> int:
    """The status of the answer; 0 when the connection ends, or nothing comes, without one."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=address or source())
    except OSError:
        return 0
    try:
        writer.write(request)
        async with asyncio.timeout(within_s):
            line = await reader.readline()
        return int(line.split()[1]) if line.startswith(b"HTTP/1.") else 0
    except (TimeoutError, OSError, ValueError, asyncio.LimitOverrunError):
        return 0
    finally:
        writer.transport.abort()
