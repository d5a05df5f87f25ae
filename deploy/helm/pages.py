"""Writes what is made for the chart (`make generated`): values.schema.json, and the table of its README."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.helm import readme
from deploy.helm.schema import schema

CHART: Final = Path(__file__).parent / "clarion"


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file with its content."""
    yield CHART / "values.schema.json", json.dumps(schema(), indent=2) + "\n"
    page = CHART / "README.md"
    yield page, readme.updated(page.read_text(), (CHART / "values.yaml").read_text())


def main() -> None:
    """Write all files."""
    for path, content in files():
        path.write_text(content)


if __name__ == "__main__":
    main()
