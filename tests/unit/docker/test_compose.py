"""`docker-compose.yml` is what compose accepts, and describes the processes of the local stack."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.docker.engine import EngineError
from deploy.docker.images.names import BESIDE, environment
from deploy.docker.rolling import compose as rolling
from deploy.local.processes import SERVERS, Spec, services
from deploy.local.servers import jars
from tests.conftest import repository

ROOT = repository()
FILE = ROOT / "docker-compose.yml"
MONITORING = {"prometheus", "alertmanager", "grafana"}
ONCE = {"topics", "replica-set"}


def compose() -> list[str]:
    try:
        return rolling.command()
    except EngineError as error:
        pytest.skip(str(error))


def described(*options: str, **variables: str) -> dict[str, Any]:
    """The file as compose reads it."""
    done = subprocess.run(
        [*compose(), *options, "config"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **variables},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def processes() -> dict[str, Spec]:
    """The processes of the local stack, by the names of their services: all gateways are replicas of one."""
    return {re.sub(r"-\d+$", "", spec.name): spec for spec in services(gateways=1)}


@pytest.mark.compose
def test_compose_has_every_process_of_the_stack() -> None:
    found = described("--profile", "monitoring")["services"]
    assert set(found) == {*SERVERS, *ONCE, *processes(), "load-balancer", *MONITORING}
    for name, spec in processes().items():
        assert found[name]["command"] == list(spec.arguments)
        assert found[name]["read_only"] is True
        assert found[name]["cap_drop"] == ["ALL"]


@pytest.mark.compose
def test_every_service_has_limits_and_a_restart_policy() -> None:
    for name, service in described("--profile", "monitoring")["services"].items():
        assert service["mem_limit"], name
        assert float(service["cpus"]) > 0, name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name


@pytest.mark.compose
def test_monitoring_starts_only_with_its_profile() -> None:
    found = described("--profile", "monitoring")["services"]
    assert {name for name, service in found.items() if service.get("profiles") == ["monitoring"]} == MONITORING
    scraped = (ROOT / "deploy" / "prometheus" / "compose.yml").read_text()
    assert [name for name in processes() if not re.search(rf"\b{name}\b", scraped)] == []


@pytest.mark.compose
def test_ports_are_published_on_loopback_only() -> None:
    published = [port for service in described()["services"].values() for port in service.get("ports", [])]
    assert published
    assert all("127.0.0.1" in json.dumps(port) for port in published)


@pytest.mark.compose
def test_secrets_come_from_files_and_no_variable() -> None:
    found = described(JWT_SECRET_FILE="/somewhere/else")
    assert found["secrets"]["jwt_secret"]["file"] == "/somewhere/else"
    for name in processes():
        assert found["services"][name]["secrets"]
        assert "CLARION_JWT_SECRET" not in found["services"][name]["environment"]


@pytest.mark.compose
def test_each_image_is_replaceable_by_its_variable() -> None:
    chosen = environment(with_monitoring=True)
    found = described("--profile", "monitoring", **chosen)["services"]
    assert {service["image"] for service in found.values()} == {
        chosen["SERVICE_IMAGE"],
        *(one.name for one in BESIDE),
        "grafana/grafana:11.6.0",
    }
    assert found["topics"]["build"]["args"]["BASE_IMAGE"] == chosen["BASE_IMAGE"]


@pytest.mark.compose
def test_kafka_is_the_version_of_the_local_stack() -> None:
    version = jars.ENDPOINT.split("+")[0].rpartition(":")[2]
    assert described()["services"]["kafka"]["image"] == f"apache/kafka:{version}"


@pytest.mark.compose
def test_every_mounted_file_and_secret_exists() -> None:
    read: dict[str, Any] = yaml.safe_load(FILE.read_text())
    mounted = [volume.split(":")[0] for service in read["services"].values() for volume in service.get("volumes", [])]
    ours = [source for source in mounted if source.startswith("./")]
    assert len(ours) >= 6
    assert [source for source in ours if not (ROOT / source).exists()] == []
    assert {source for source in mounted if not source.startswith("./")} == set(read["volumes"])
    secrets: list[Path] = [Path(secret["file"]) for secret in described()["secrets"].values()]
    assert [path for path in secrets if not path.is_file()] == []
