"""`helm lint --strict` has nothing to say, with each file of values."""

from typing import Final

import helm_python
import pytest

from deploy.helm.pages import CHART
from tests.unit.helm.rendered import CASES

_ICON: Final = "icon is recommended"  # Clarion has none at an address that everybody reaches


@pytest.mark.parametrize("name", CASES)
def test_helm_has_nothing_to_say(name: str) -> None:
    report = helm_python.lint(CHART, dict(CASES[name]), strict=True)
    assert report["total_charts_linted"] == 1
    assert [one for one in report["messages"] if _ICON not in one["error"]] == []
    assert report["errors"] == []
