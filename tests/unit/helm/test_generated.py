"""What is made for the chart is committed as `make generated` makes it, and its README describes every value."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from deploy.helm import readme
from deploy.helm.pages import CHART, files


@pytest.mark.parametrize(("path", "content"), [*files()], ids=lambda part: part.name if isinstance(part, Path) else "")
def test_the_committed_file_is_what_the_code_makes(path: Path, content: str) -> None:
    assert path.read_text() == content, "run `make generated`"


def leaves(values: dict[str, Any], before: str = "") -> Iterator[str]:
    for key, value in values.items():
        path = f"{before}{key}"
        yield path
        if isinstance(value, dict) and value:
            yield from leaves(cast("dict[str, Any]", value), f"{path}.")


def test_each_value_is_described_itself_or_with_what_has_it() -> None:
    text = (CHART / "values.yaml").read_text()
    described = {one.path for one in readme.described(text)}
    for path in leaves(yaml.safe_load(text)):
        parts = path.split(".")
        around = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
        below = {one for one in described if one.startswith(f"{path}.")}
        assert around & described or below, f"{path} is not described"
