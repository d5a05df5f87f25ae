"""The library that draws the charts is as it was released, and its notes are true."""

import hashlib
import re

from tests.conftest import repository

CONSOLE = repository() / "services" / "console"
VENDOR = CONSOLE / "page" / "vendor"
OURS = {"uPlot.esm.d.ts"}


def test_vendored_files_are_those_that_the_notes_name() -> None:
    noted = dict(
        re.findall(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", (CONSOLE / "README.md").read_text(), re.MULTILINE)
    )
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    assert {name: sum_ for name, sum_ in found.items() if name not in OURS} == noted


def test_the_license_is_beside_them() -> None:
    assert "Permission is hereby granted, free of charge" in (VENDOR / "LICENSE").read_text()
