import pytest

SECONDS = 2.0  # for each scenario that cannot be explored to its end; enough of those in a minute


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--model-seconds", type=float, default=SECONDS, help="how long to explore each large scenario")


@pytest.fixture(scope="session")
def seconds(pytestconfig: pytest.Config) -> float:
    return float(pytestconfig.getoption("--model-seconds", SECONDS) or SECONDS)
