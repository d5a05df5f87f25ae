"""Where Clarion's processes are (CLARION_PROCESSES), and what each says of itself, asked of all at once."""

import asyncio
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx2
import msgspec

from clarion.operating import samples
from clarion.operating.samples import Samples
from clarion.settings import Settings, SettingsError, split

ANSWER_S: Final = 3.0  # for one question to one process, and for the addresses of one host
_ANSWER_BYTES: Final = 8 * 1024 * 1024  # a gateway's metrics have about 50 KB
_CONNECTIONS: Final = 256  # at once, whatever the number of processes
_PROCESSES_MOST: Final = 2_000
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_FORM: Final = "CLARION_PROCESSES: write `name=url[,url]`, separated by blanks, such as `gateway=http://gateway:9400`"


class AdminPort(NamedTuple):
    """The admin port of one process, or of several behind one host name. `name` is the role that the setting gives."""

    name: str
    url: str


class _Health(msgspec.Struct):
    service: str
    status: str
    reasons: list[str] = []


class _Ready(msgspec.Struct):
    ok: bool
    reasons: list[str] = []


@dataclass(frozen=True, slots=True)
class ProcessView:
    """What one process says of itself. `status` is empty when it did not answer, and `errors` say what is missing."""

    name: str
    url: str
    service: str = ""
    status: str = ""
    reasons: Sequence[str] = ()
    unready: Sequence[str] = ("no answer",)  # why it is not ready; empty when it is
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    samples: Samples = field(default_factory=dict[str, Any])
    errors: Sequence[str] = ()

    @property
    def role(self) -> str:
        """Return what the process does, such as `urgent` or `gateway`: as it says itself, else as it is called."""
        return self.service.removeprefix("stream-") or re.sub(r"-\d+$", "", self.name)


def admin_ports(settings: Settings) -> list[AdminPort]:
    """Return the admin ports that CLARION_PROCESSES names. Raises `SettingsError`, which says what is wrong with it."""
    found: list[AdminPort] = []
    for part in settings.processes.split():
        name, equals, urls = part.partition("=")
        if not equals or not _NAME.fullmatch(name) or not split(urls):
            raise SettingsError(f"{_FORM}, and not {part!r}")
        for url in split(urls):
            _check(url)
            found.append(AdminPort(name, url.rstrip("/")))
    return found


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_fit = parts.scheme in ("http", "https") and parts.hostname and not parts.query and parts.port != 0
    except ValueError:
        is_fit = False
    if not is_fit:
        raise SettingsError(f"{_FORM}, and not the address {url!r}")


async def ask_all(settings: Settings) -> list[ProcessView]:
    """Ask every process that CLARION_PROCESSES names, all at once; return their views in the order of the setting.

    Takes at most `ANSWER_S` for the addresses and as long for the answers. A process that does not answer is in the
    result with its errors. Raises `SettingsError`.
    """
    named = admin_ports(settings)
    limits = httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=0)
    async with httpx2.AsyncClient(trust_env=False, timeout=ANSWER_S, limits=limits) as http:
        found = await asyncio.gather(*map(_resolved, named))
        each = [one for some in found for one in some][:_PROCESSES_MOST]
        return list(
            await asyncio.gather(
                *(_ask(http, one) if isinstance(one, AdminPort) else _immediately(one) for one in each)
            )
        )


async def _immediately(view: ProcessView) -> ProcessView:
    return view


async def _resolved(at: AdminPort) -> list[AdminPort | ProcessView]:
    """Return an admin port for each address of the host, or a view that says why there is none.

    Where a host has addresses of both families, those of IPv4 count: the others are the same processes once more. An
    https address is asked by its name, which its certificate is for.
    """
    parts = urlsplit(at.url)
    if parts.scheme == "https":
        return [at]
    assert parts.hostname is not None
    loop, port = asyncio.get_running_loop(), parts.port or 80
    try:
        async with asyncio.timeout(ANSWER_S):
            answers = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
        why = f"the host {parts.hostname} has no address: {error}" if str(error) else "the host's address did not come"
        return [ProcessView(at.name, at.url, errors=[why])]
    hosts = [str(address[0]) for family, *_, address in answers if family == socket.AF_INET]
    hosts = hosts or [f"[{address[0]}]" for *_, address in answers]
    return [AdminPort(at.name, f"http://{host}:{port}{parts.path}") for host in sorted(set(hosts))]


async def _ask(http: httpx2.AsyncClient, at: AdminPort) -> ProcessView:
    """Ask one process its four questions at once; what is not answered is among the errors."""
    errors: list[str] = []

    async def get(path: str) -> bytes:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await _body(http, at.url + path)
        except TimeoutError:
            errors.append(f"{path}: no answer within {ANSWER_S:g} s: it hangs, or the way to it is cut")
        except httpx2.ConnectError:
            errors.append(f"{path}: nothing listens there: it has ended, or was never started")
        except httpx2.HTTPError as error:
            errors.append(f"{path}: {error or type(error).__name__}")
        return b""

    async def metrics() -> Samples:
        text = (await get("/metrics")).decode(errors="replace")
        try:
            return await asyncio.to_thread(samples.parse, text)  # milliseconds each, and there may be hundreds
        except (ValueError, KeyError) as error:
            errors.append(f"/metrics: not in Prometheus' format: {error}")
            return {}

    health, ready, figures, exported = await asyncio.gather(
        get("/health"), get("/healthz/ready"), get("/health/metrics"), metrics()
    )
    said = _decoded(health, _Health, "/health", errors)
    is_ready = _decoded(ready, _Ready, "/healthz/ready", errors)
    return ProcessView(
        at.name,
        at.url,
        service=said.service if said else "",
        status=said.status if said else "",
        reasons=said.reasons if said else (),
        unready=is_ready.reasons if is_ready else ("no answer",),
        figures=_decoded(figures, dict[str, Any], "/health/metrics", errors) or {},
        samples=exported,
        errors=errors,
    )


async def _body(http: httpx2.AsyncClient, url: str) -> bytes:
    """Return a body, whatever the status: 503 comes with the reasons. Raises httpx2.HTTPError, also for a large one."""
    body = bytearray()
    async with http.stream("GET", url) as answer:
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _ANSWER_BYTES:
                raise httpx2.HTTPError(f"the answer has more than {_ANSWER_BYTES} bytes")
    return bytes(body)


def _decoded(body: bytes, kind: Any, path: str, errors: list[str]) -> Any:
    if not body:
        return None
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        errors.append(f"{path}: not what a process of Clarion answers: {error}")
        return None
