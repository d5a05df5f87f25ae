"""Fetches the descriptions that ingest and gateways serve of themselves, for the API reference of the console."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import msgspec

from clarion.settings import Settings
from clarion.web.problem_responses import Unavailable

ANSWER_S: Final = 5.0
DOCUMENT_BYTES: Final = 2 * 1024 * 1024
KEPT_S: Final = 60.0  # a service may be updated meanwhile


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document is: at which service, by which setting that is found, and at which path."""

    service: str
    setting: str
    url: str


@dataclass(slots=True)
class Documents:
    """The documents of other services, each fetched when it is asked for and kept for `KEPT_S`."""

    sources: Mapping[str, Source]
    _kept: dict[str, tuple[float, bytes]] = field(default_factory=dict[str, tuple[float, bytes]])

    async def get(self, name: str) -> bytes | None:
        """Return a document as JSON, None if there is none of this name. Raise `Unavailable` if it cannot be had."""
        source = self.sources.get(name)
        if source is None:
            return None
        until, document = self._kept.get(name, (0.0, b""))
        if time.monotonic() >= until:
            document = await _fetched(source)
            self._kept[name] = (time.monotonic() + KEPT_S, document)
        return document


def sources(settings: Settings) -> dict[str, Source]:
    """Return the documents that there are, by name."""
    ingest = settings.ingest_url.rstrip("/")
    gateway = next(iter(settings.gateway_urls), "").rstrip("/")
    return {
        "ingest": Source("ingest", "CLARION_INGEST_URL", f"{ingest}/openapi.json"),
        "gateway": Source("a gateway", "CLARION_GATEWAY_URL", f"{gateway}/openapi.json"),
        "client-protocol": Source("a gateway", "CLARION_GATEWAY_URL", f"{gateway}/asyncapi.json"),
    }


async def _fetched(source: Source) -> bytes:
    try:
        async with asyncio.timeout(ANSWER_S), httpx2.AsyncClient(trust_env=False, timeout=ANSWER_S) as http:
            body = await _body(http, source.url)
        msgspec.json.decode(body, type=dict[str, Any])
    except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.MsgspecError, TimeoutError) as error:
        why = str(error) or f"no answer within {ANSWER_S:g} s"
        detail = f"{source.service} does not describe itself at {source.url} ({why}): see {source.setting}"
        raise Unavailable(detail) from error
    return body


async def _body(http: httpx2.AsyncClient, url: str) -> bytes:
    body = bytearray()
    async with http.stream("GET", url) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > DOCUMENT_BYTES:
                raise httpx2.HTTPError(f"the answer has more than {DOCUMENT_BYTES} bytes")
    return bytes(body)
