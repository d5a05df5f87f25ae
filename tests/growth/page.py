"""Writes the tables of docs/growth.md: those of what was measured, of recorded reports; those simulated, computed anew.

`python -m tests.growth.page` writes the page; a test says when it is not as this makes it.
"""

import re
from collections.abc import Mapping
from typing import Final

from tests import report
from tests.conftest import repository
from tests.growth import simulated_tables, tables
from tests.growth.recorded import RECORDED, SOAK

PAGE: Final = repository() / "docs" / "growth.md"
BEGIN: Final = "<!-- table: {} (made by `python -m tests.growth.page`) -->"
END: Final = "<!-- end of table -->"
_PLACE: Final = re.compile(r"<!-- table: (.+?) \(made by .*?-->\n.*?<!-- end of table -->", re.DOTALL)


def made() -> dict[str, str]:
    """Return every table of the page as Markdown, by its name."""
    growth, soak = report.load(RECORDED), report.load(SOAK)
    every: Mapping[str, tables.Table] = {
        "machine": tables.machine([growth, soak]),
        "stored": tables.stored(growth.rows),
        "gateways": tables.gateways(growth.rows),
        "workers": tables.workers(growth.rows),
        "unit costs": tables.unit_costs(growth.rows),
        "soak": tables.soak(soak),
        "soak totals": tables.soak_totals(soak),
        **simulated_tables.tables(growth.rows),
    }
    return {name: tables.markdown(table) for name, table in every.items()}


def updated(page: str, of: Mapping[str, str]) -> str:
    """Return the page with these tables in their places. Raise ValueError for one that has no place, or no table."""
    places = _PLACE.findall(page)
    if sorted(places) != sorted(of):
        raise ValueError(f"the page has places for {sorted(places)}, and the tables are {sorted(of)}")
    return _PLACE.sub(lambda found: f"{BEGIN.format(found[1])}\n\n{of[found[1]]}\n\n{END}", page)


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(), made()))
