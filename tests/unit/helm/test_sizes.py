"""The files of values are the deployments of docs/capacity.md: as many processes, and room for what they need."""

import re
from typing import Any

import pytest

from tests.capacity import page
from tests.capacity.model import DEFAULTS, LANES, MEMORY_SPARE, Model
from tests.capacity.page import PAGE
from tests.capacity.tables import models
from tests.unit.helm.rendered import merged, values_of

MODELS = {model.of.name: model for model in models(PAGE.read_text())}
FILES = {"values-small.yaml": "small", "values-large.yaml": "million"}


def values(name: str) -> dict[str, Any]:
    return merged(values_of("values.yaml"), values_of(name))


def least(of: dict[str, Any]) -> int:
    scaling = of.get("autoscaling", {})
    return int(scaling["min"] if scaling.get("enabled") else of["replicas"])


@pytest.mark.parametrize(("name", "deployment"), FILES.items())
def test_there_are_as_many_processes_as_the_model_asks_for(name: str, deployment: str) -> None:
    model, of = MODELS[deployment], values(name)
    assert least(of["ingest"]) == model.processes(model.of.peak, "ingest_us")
    for lane in LANES:
        assert least(of["lanes"][lane]) == model.processes(model.lane(lane), f"lane_{lane}_us")
    assert least(of["receipts"]) == model.processes(model.pushed, "receipts_us")
    assert least(of["gateway"]) == model.gateways
    for role in ("scheduler", "observer"):
        assert least(of[role]) == model.of.least


def mib(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", text).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return int(number) * (1024 if unit == "Gi" else 1)


@pytest.mark.parametrize("name", FILES)
def test_memory_is_what_a_process_needs_and_half_as_much_more(name: str) -> None:
    model, of = MODELS[FILES[name]], values(name)
    others = [of["ingest"], *of["lanes"].values(), of["receipts"], of["scheduler"], of["observer"], of["console"]]
    for one in others:
        assert mib(one["resources"]["limits"]["memory"]) >= MEMORY_SPARE * model.cost["process_busy_mib"]
    assert mib(of["gateway"]["resources"]["limits"]["memory"]) >= MEMORY_SPARE * (model.gateway_mib + model.socket_mib)


def test_a_gateway_grows_before_it_is_full() -> None:
    for name in ("values.yaml", "values-large.yaml"):
        target = values(name)["gateway"]["autoscaling"]["target"]
        assert target <= 0.75 * DEFAULTS.connections


def test_the_model_has_the_deployments_that_are_named() -> None:
    assert {one.name for one in page.deployments(PAGE.read_text())} >= {*FILES.values()}
    assert all(isinstance(model, Model) for model in MODELS.values())
