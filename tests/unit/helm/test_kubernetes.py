"""Each object is one that Kubernetes takes: by its schemas, of the oldest and the newest version that is supported."""

from importlib.metadata import version
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from deploy.helm.pages import CHART
from tests.unit.helm.rendered import CASES, case

OLDEST: Final = "1.29"
NEWEST: Final = ".".join(version("kubernetes-validate").split(".")[:2])
# of others, which `test_custom_resources.py` checks
CUSTOM: Final = {"PodMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute"}


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", CASES)
def test_each_object_is_valid(name: str, kubernetes: str) -> None:
    objects = [one for one in case(name).objects if one["kind"] not in CUSTOM]
    assert len(objects) > 40
    for one in objects:
        kubernetes_validate.validate(one, kubernetes, strict=True)


def test_the_check_refuses_what_is_not_valid() -> None:
    wrong: dict[str, Any] = {**case("default").of("Deployment")[0]}
    wrong["spec"] = {**wrong["spec"], "replica": 1}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


def test_the_oldest_version_is_what_the_chart_says() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={OLDEST}.0-0"


def test_no_two_objects_have_one_name() -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in case("all").objects]
    assert len(names) == len(set(names))
