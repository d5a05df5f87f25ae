"""Writes what is made of the rule table (`make monitoring`): alert rules, dashboards, parts of the runbook.

With another address of the runbook: `python -m deploy.monitoring --runbook https://docs.example/runbook.html`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from deploy import runbook
from deploy.grafana.boards import encoded
from deploy.grafana.dashboards import DASHBOARDS
from deploy.prometheus.alerts import Groups, alerts, objectives

ROOT: Final = Path(__file__).parents[1]
RUNBOOK: Final = "docs/runbook.md"
_MADE: Final = "# Made by `make monitoring` from clarion.rules: change the table there, not this file.\n"


def files(address: str = RUNBOOK) -> Iterator[tuple[Path, str]]:
    """Yield each file with its content. `address` is where the alerts say that the runbook is."""
    rules = ROOT / "deploy" / "prometheus" / "rules"
    yield rules / "alerts.yml", _yaml(alerts(address))
    yield rules / "objectives.yml", _yaml(objectives(address))
    for name, build in DASHBOARDS.items():
        yield ROOT / "deploy" / "grafana" / "json" / f"{name}.json", encoded(build(), address)
    page = ROOT / RUNBOOK
    yield page, runbook.updated(page.read_text())


def _yaml(groups: Groups) -> str:
    return _MADE + yaml.safe_dump(groups, sort_keys=False, allow_unicode=True, width=1_000_000)


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runbook", default=RUNBOOK, help="the address of the runbook's page, for alerts and panels")
    for path, content in files(parser.parse_args().runbook):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    main()
