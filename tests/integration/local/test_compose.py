"""`docker-compose.yml` is what compose accepts, and describes the processes of the local stack."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.processes import SERVERS, services
from tests.conftest import repository


def compose() -> list[str]:
    """`docker compose` (v2), else `docker-compose` (v1)."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return [docker, "compose"]
    if old := shutil.which("docker-compose"):
        return [old]
    pytest.skip("neither docker compose nor docker-compose is here: apt-get install docker-compose")


@pytest.mark.compose
def test_compose_accepts_the_file_and_it_has_every_process() -> None:
    done = subprocess.run(
        [*compose(), "-f", str(repository() / "docker-compose.yml"), "config"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    described: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    expected = {*SERVERS, "topics", *(spec.name for spec in services(gateways=2))}
    assert set(described) == expected
    for spec in services(gateways=2):
        assert described[spec.name]["command"] == list(spec.arguments)
        assert described[spec.name]["read_only"] is True
    published = [port for service in described.values() for port in service.get("ports", [])]
    assert published
    assert all("127.0.0.1" in json.dumps(port) for port in published)


def _volumes(file: Path) -> list[str]:
    described: dict[str, Any] = yaml.safe_load(file.read_text())["services"]
    return [volume for service in described.values() for volume in service.get("volumes", [])]


@pytest.mark.compose
def test_compose_accepts_prometheus_and_grafana_beside_them() -> None:
    root = repository()
    files = ("docker-compose.yml", "deploy/docker/monitoring.yml")
    done = subprocess.run(
        [*compose(), *(part for file in files for part in ("-f", file)), "config"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    described: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    assert set(described) > {"prometheus", "grafana", "ingest"}
    sources = [volume.split(":")[0] for file in files for volume in _volumes(root / file)]
    assert [source for source in sources if source.startswith("./") and not (root / source).exists()] == []
    scraped = (root / "deploy" / "prometheus" / "compose.yml").read_text()
    assert all(spec.name in scraped for spec in services(gateways=2))
