"""Objects of other projects are what those projects' definitions allow: those of the chart, and of its examples."""

import json
from pathlib import Path
from typing import Any, Final, cast

import jsonschema
import pytest
import yaml

from deploy.helm.pages import CHART
from tests.conftest import repository
from tests.unit.helm.rendered import Object, case

_CRDS: Final = repository() / "tests" / "data" / "crds"
_EXAMPLES: Final = sorted((CHART.parent / "examples").glob("*.yaml"))


def schema(kind: str, api_version: str) -> dict[str, Any]:
    """The schema of a kind, in which a field that is not in it is refused: Kubernetes would drop it silently."""
    told: dict[str, Any] = json.loads((_CRDS / f"{kind}.json").read_text())
    group, _, version = api_version.partition("/")
    assert group == told["group"]
    return _closed(told["versions"][version])


def _closed(of: Any) -> Any:
    if isinstance(of, list):
        return [_closed(one) for one in cast("list[Any]", of)]
    if not isinstance(of, dict):
        return of
    found = cast("dict[str, Any]", of)
    closed = {key: _closed(value) for key, value in found.items()}
    is_open = "additionalProperties" in found or found.get("x-kubernetes-preserve-unknown-fields")
    if found.get("type") == "object" and isinstance(found.get("properties"), dict) and not is_open:
        closed["additionalProperties"] = False
    return closed


def check(one: Object) -> None:
    wanted = schema(one["kind"], one["apiVersion"])
    wanted["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft202012Validator(wanted).validate(one)


@pytest.mark.parametrize(
    ("kind", "number"), [("PodMonitor", 1), ("PrometheusRule", 2), ("ScaledObject", 6), ("HTTPRoute", 2)]
)
def test_each_object_of_the_chart_is_valid(kind: str, number: int) -> None:
    objects = case("all").of(kind)
    assert len(objects) == number
    for one in objects:
        check(one)


@pytest.mark.parametrize("path", _EXAMPLES, ids=lambda path: path.stem)
def test_each_object_of_an_example_is_valid(path: Path) -> None:
    objects = [*filter(None, yaml.safe_load_all(path.read_text()))]
    assert objects
    for one in objects:
        check(one)


def test_a_field_that_there_is_not_is_refused() -> None:
    wrong = {**case("all").of("PodMonitor")[0]}
    wrong["spec"] = {**wrong["spec"], "podMetricEndpoints": []}
    with pytest.raises(jsonschema.ValidationError):
        check(wrong)
