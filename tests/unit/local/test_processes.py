"""The processes of the local stack: their ports, and which servers are not its own."""

from typing import cast

import yaml

from clarion.operating.processes import admin_ports
from clarion.operating.system_health import NEEDED, USED
from clarion.settings import Settings
from deploy.local import processes
from tests.conftest import repository


def test_every_process_has_ports_of_its_own() -> None:
    specs = processes.services(gateways=2)
    wanted = processes.wanted_ports(specs)
    usual = [port for port in wanted.values() if port]
    assert len(usual) == len(set(usual))
    roles = {"receipts", "scheduler", "observer"}
    assert {spec.name for spec in specs} >= {"ingest", "urgent", "high", "normal", "low", *roles}
    assert wanted["gateway-1"] == 8081


def test_servers_that_the_stack_would_not_start_are_outside() -> None:
    own = {"CLARION_KAFKA": "127.0.0.1:9092", "CLARION_MONGODB": "mongodb://127.0.0.1:27017/"}
    assert processes.outside(own, {}) == {}
    assert processes.outside(own, own) == {}
    assert processes.outside(own, own | {"CLARION_KAFKA": "kafka:9092"}) == {"CLARION_KAFKA": "kafka:9092"}


def test_the_settings_name_the_admin_port_of_each_process() -> None:
    specs = processes.services(gateways=2)
    ports = processes.wanted_ports(specs)
    env = processes.client_env(ports, specs, {}, "/secret")
    named = admin_ports(Settings(env="dev", processes=env["CLARION_PROCESSES"]))
    assert {at.name: at.url for at in named} == {spec.name: f"http://127.0.0.1:{ports[spec.admin]}" for spec in specs}


def test_the_compose_file_names_the_admin_port_of_each_process() -> None:
    described = yaml.safe_load((repository() / "docker-compose.yml").read_text())
    named = admin_ports(Settings(env="dev", processes=described["x-service"]["environment"]["CLARION_PROCESSES"]))
    # all gateways are replicas of one service, and its name has the addresses of all
    names = {spec.name.removesuffix("-1") for spec in processes.services(gateways=1)}
    assert {at.url for at in named} == {f"http://{name}:9400" for name in names}
    assert {at.name for at in named} >= {*NEEDED, *USED}


def test_prometheus_finds_each_process_by_its_name_and_kind() -> None:
    specs = processes.services(gateways=2)
    ports = {port: number for number, port in enumerate(processes.wanted_ports(specs), start=20_000)}
    found = processes.targets(specs, ports)
    labels = [cast("dict[str, str]", target["labels"]) for target in found]
    named = {of["instance"]: of["job"] for of in labels}
    assert len(named) == len(specs)
    assert (named["ingest"], named["urgent"], named["gateway-2"]) == (
        "clarion-ingest", "clarion-stream", "clarion-gateway",
    )  # fmt: skip
    assert found[0]["targets"] == [f"127.0.0.1:{ports['ingest-admin']}"]
