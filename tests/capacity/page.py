"""Reads the tables of docs/capacity.md: unit costs, what is assumed of the load, and the deployments. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.conftest import repository

PAGE: Final = repository() / "docs" / "capacity.md"
_NUMBER: Final = re.compile(r"[\d,.]+")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployment has to carry. `least` is how many processes of a role there are at least."""

    name: str
    connections: float
    peak: float  # notifications a second
    mean: float  # notifications a second, over weeks
    limit: float  # CLARION_CONNECTIONS
    least: float


def table(page: str, heading: str) -> Iterator[list[str]]:
    """Yield the rows of the first table below a heading, without its first two lines."""
    _, found, rest = page.partition(f"\n{heading}\n")
    assert found, f"the page has no heading {heading}"
    lines = rest[rest.index("\n|") + 1 :].splitlines()
    for line in lines[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def costs(page: str) -> dict[str, float]:
    """Return the unit costs, by name."""
    return {name.strip("`"): _number(value) for name, value, *_ in table(page, "## Unit costs")}


def assumptions(page: str) -> dict[str, float]:
    """Return what is assumed of the load, by name."""
    return {name.strip("`"): _number(value) for name, value, *_ in table(page, "## What is assumed of the load")}


def deployments(page: str) -> list[Deployment]:
    """Return the deployments that the page works through."""
    rows = [(row[0].strip("*"), *map(_number, row[1:])) for row in table(page, "## Four deployments")]
    return [Deployment(*row) for row in rows]


def _number(text: str) -> float:
    found = _NUMBER.search(text)
    assert found, f"{text} has no number"
    return float(found[0].replace(",", ""))
