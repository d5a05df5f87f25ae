"""Asks a Prometheus, by its HTTP API: which targets it scrapes, and instant queries."""

from typing import Any, Final

import httpx2
import msgspec

from clarion.operating.samples import Sample

ANSWER_S: Final = 5.0


class Unreachable(Exception):
    """Prometheus does not answer, or does not answer as Prometheus does; the message says why."""


class Target(msgspec.Struct, frozen=True):
    """An address that Prometheus scrapes. `error` says why the last scrape failed; empty while that works."""

    url: str = msgspec.field(name="scrapeUrl")
    health: str
    error: str = msgspec.field(name="lastError", default="")

    @property
    def is_up(self) -> bool:
        """Return whether the last scrape worked; one that is still to come counts as one that did."""
        return self.health != "down"


class _Active(msgspec.Struct, rename="camel"):
    active_targets: list[Target]


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Vector(msgspec.Struct):
    result: list[_Series]


async def targets(url: str) -> list[Target]:
    """Return the targets that the Prometheus at `url` scrapes. Raises `Unreachable`."""
    answer: _Active = await _ask(url, "/api/v1/targets", {"state": "active"}, _Active)
    return answer.active_targets


async def query(url: str, expression: str) -> list[Sample]:
    """Return the series that an expression has now. Raises `Unreachable`."""
    answer: _Vector = await _ask(url, "/api/v1/query", {"query": expression}, _Vector)
    return [Sample(one.metric, float(one.value[1])) for one in answer.result]


async def _ask(url: str, path: str, parameters: dict[str, str], kind: Any) -> Any:
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=ANSWER_S) as http:
            answer = await http.get(url.rstrip("/") + path, params=parameters)
            answer.raise_for_status()
            data = msgspec.json.decode(answer.content, type=dict[str, msgspec.Raw])["data"]
            return msgspec.json.decode(data, type=kind)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    except (msgspec.MsgspecError, KeyError) as error:
        raise Unreachable(f"its answer is not Prometheus': {error}") from error
