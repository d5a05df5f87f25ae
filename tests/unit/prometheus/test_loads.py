"""Prometheus and Alertmanager load all files, and every query of every panel, by their own tools."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.local.processes import USUAL_PORTS
from tests.conftest import repository

pytestmark = pytest.mark.prometheus

FOLDER = repository() / "deploy" / "prometheus"
BOARDS = repository() / "deploy" / "grafana" / "json"


def accepted(tool: str, *arguments: str | Path) -> str:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"no {tool} here: apt-get install prometheus prometheus-alertmanager")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_loads_every_rule() -> None:
    said = accepted("promtool", "check", "rules", *sorted((FOLDER / "rules").glob("*.yml")))
    assert said.count("SUCCESS") == 2


@pytest.mark.parametrize("name", ["local.yml", "compose.yml"])
def test_prometheus_loads_what_to_scrape(name: str) -> None:
    accepted("promtool", "check", "config", "--syntax-only", FOLDER / name)


def test_the_local_configuration_finds_its_rules() -> None:
    accepted("promtool", "check", "config", FOLDER / "local.yml")


def test_alertmanager_has_no_port_of_the_local_stack() -> None:
    local = yaml.safe_load((FOLDER / "local.yml").read_text())
    (target,) = local["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert int(target.rpartition(":")[2]) not in USUAL_PORTS.values()
    assert f"--web.listen-address={target}" in (FOLDER / "alertmanager.yml").read_text()


def test_alertmanager_loads_who_is_called() -> None:
    accepted("amtool", "check-config", FOLDER / "alertmanager.yml")


def queries(board: Path) -> Iterator[str]:
    """Every query of a dashboard, with its variables as Grafana fills them in."""
    for panel in json.loads(board.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield (
                target["expr"]
                .replace("$__rate_interval", "1m")
                .replace("$job", ".+")
                .replace("$instance", ".+")
            )  # fmt: skip


@pytest.mark.parametrize("board", sorted(BOARDS.glob("*.json")), ids=lambda board: board.stem)
def test_prometheus_reads_every_query_of_a_dashboard(board: Path, tmp_path: Path) -> None:
    rules = [{"record": f"panel:query_{index}", "expr": query} for index, query in enumerate(queries(board))]
    assert rules
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": board.stem, "rules": rules}]}))
    accepted("promtool", "check", "rules", tmp_path / "rules.yml")
