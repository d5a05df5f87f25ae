"""`docs/operating.md` names each check, each ending and each cap that there is, and none that there is not."""

import re

from clarion.operating.bench import plan
from clarion.operating.doctor.examination import CHECKS
from clarion.operating.trace.story import Ending
from tests.conftest import repository

PAGE = (repository() / "docs" / "operating.md").read_text()


def told(section: str) -> list[str]:
    """What the first column of a section's tables names in code style."""
    _, _, rest = PAGE.partition(f"\n## {section}\n")
    text = rest.partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", text, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_each_check_is_on_the_page_in_its_order() -> None:
    assert told("`clarion doctor`") == [check.name for check in CHECKS]


def test_each_ending_is_on_the_page() -> None:
    assert sorted(told("`clarion trace`")) == sorted(Ending)


def test_the_caps_of_a_load_are_on_the_page() -> None:
    for most in (plan.RATE_MOST, plan.USERS_MOST, plan.TOTAL_MOST):
        assert f" {most:,.0f} |" in PAGE
    assert "| 10m |" in PAGE
    assert plan.SECONDS_MOST == 600
