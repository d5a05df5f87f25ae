"""The image: what is in it, how little it may do, and that it ends when it is told to."""

import json
import signal
import time
from collections.abc import Mapping
from typing import Any

from deploy.docker import engine
from tests.containers.fleet import Fleet

MOST_MB = 250
# Nothing listens there: a command waits for it.
NOWHERE = {
    "CLARION_KAFKA": "127.0.0.1:9",
    "CLARION_MONGODB": "mongodb://127.0.0.1:9",
    "CLARION_GATEWAY_URL": "http://127.0.0.1:9",
    "CLARION_JWT_SECRET": "of-the-tests-in-containers-0123456789abcdef",
}


def inspected(image: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(engine.read(["docker", "image", "inspect", image]))
    return found[0]


def test_nothing_that_installs_or_compiles_is_inside(containers: Fleet, images: Mapping[str, str]) -> None:
    looked_for = "gcc cc g++ clang make pip pip3 uv easy_install"
    script = (
        f"for name in {looked_for}; do command -v $name; done; python -m pip --version; find /usr /opt -name 'pip-*'"
    )
    said = containers.run(images["SERVICE_IMAGE"], ["-c", f"({script}) 2>&1; true"], env={}, entrypoint=["sh"])
    assert said.strip() == "/opt/clarion/bin/python: No module named pip"


def test_it_runs_as_nobody_on_a_read_only_disk(containers: Fleet, images: Mapping[str, str]) -> None:
    script = "id -u; touch /opt/clarion/x 2>/dev/null && echo wrote; clarion --version"
    options: dict[str, Any] = {"entrypoint": ["sh"], "read_only": True, "cap_drop": ["ALL"]}
    said = containers.run(images["SERVICE_IMAGE"], ["-c", script], env={}, **options)
    user, version = said.split()
    assert user == "10001"
    assert version


def test_its_labels_say_what_it_is_and_its_size_is_bounded(images: Mapping[str, str]) -> None:
    image = inspected(images["SERVICE_IMAGE"])
    labels = image["Config"]["Labels"]
    for name in ("title", "description", "licenses", "version", "revision", "created", "base.name"):
        assert labels[f"org.opencontainers.image.{name}"], name
    base = inspected(labels["org.opencontainers.image.base.name"])
    assert 0 < (image["Size"] - base["Size"]) / 1e6 < MOST_MB


def test_sigterm_ends_a_command_that_waits(containers: Fleet, images: Mapping[str, str]) -> None:
    waiting = containers.start("waiting", images["SERVICE_IMAGE"], ["tail", "ann"], env=NOWHERE)
    time.sleep(3)  # it has to be past its start, and there is nothing to see of that
    waiting.reload()
    assert waiting.status == "running"
    began = time.monotonic()
    waiting.stop(timeout=20)
    assert time.monotonic() - began < 5
    assert waiting.wait(timeout=20)["StatusCode"] == 128 + signal.SIGTERM


def test_sigterm_ends_a_service_that_has_no_servers(containers: Fleet, images: Mapping[str, str]) -> None:
    gateway = containers.start("alone", images["SERVICE_IMAGE"], ["gateway"], env=NOWHERE)
    containers.wait("alone", lambda state: "Health" in state, within_s=10)
    time.sleep(3)
    began = time.monotonic()
    gateway.stop(timeout=45)
    assert time.monotonic() - began < 30
    assert gateway.wait(timeout=20)["StatusCode"] in (0, 1)
