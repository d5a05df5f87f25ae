"""What is made of the rule table is committed as `make monitoring` makes it."""

from pathlib import Path

import pytest

from deploy.monitoring import ROOT, files
from tests.conftest import repository


@pytest.mark.parametrize(("path", "content"), [*files()], ids=lambda part: part.name if isinstance(part, Path) else "")
def test_the_committed_file_is_what_the_table_makes(path: Path, content: str) -> None:
    committed = repository() / path.relative_to(ROOT)
    assert committed.read_text() == content, "run `make monitoring`"
