"""Where the reports are of which docs/growth.md is made, and what the simulation takes from the rows of one. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from tests.conftest import repository
from tests.growth.simulation.deployment import Connects
from tests.growth.simulation.storm import RECEIPT_FOLDS
from tests.growth.spread import ROLES, Arm
from tests.growth.stored import WAITING
from tests.growth.unit_costs import Sample, UnitCosts
from tests.report import Row

FOLDER: Final = repository() / "tests" / "data" / "growth"
RECORDED: Final = FOLDER / "growth.json"
SOAK: Final = FOLDER / "soak.json"
_CONNECT: Final = " stored: CPU of a connect with replay, "


def values(rows: Iterable[Row]) -> dict[str, float]:
    """Return the values of rows by their names."""
    return {row.name: row.value for row in rows}


def sample(told: Mapping[str, float], arm: Arm) -> Sample:
    """Return what an arm was like, in each second that something was published. Raise KeyError if it was not run."""
    busy = {role: told[f"{arm}: CPU of a notification, {role}"] * arm.rate / 1e6 for role in ROLES}
    windows = arm.rate / told[f"{arm}: notifications in a window"]
    wakeups = {"gateway": told[f"{arm}: wake-ups of gateways for a notification"] * arm.rate}
    return Sample(arm.rate, 1.0, windows, busy, {}, wakeups)


def sizes(rows: Iterable[Row]) -> list[int]:
    """Return with how many stored notifications connects were measured, in order."""
    named = {row.name.partition(_CONNECT)[0] for row in rows if _CONNECT in row.name and " / " not in row.name}
    return sorted(int(name.replace(",", "")) for name in named)


def connects(rows: Iterable[Row]) -> Connects:
    """Return what a connect costs while most notifications are stored, without what was replayed after it.

    Of each item that was replayed, that is what a gateway does for one, and MongoDB for its receipt. Raise KeyError for
    rows that do not have it.
    """
    every = list(rows)
    told, most, costs = values(every), f"{sizes(every)[-1]:,}", UnitCosts.of(every)
    return Connects(
        told[f"{most}{_CONNECT}gateway"] - WAITING * costs.gateway_item,
        told[f"{most}{_CONNECT}mongodb"] - WAITING * costs.mongodb_item * RECEIPT_FOLDS,
    )
