import pytest

WALKS = 4


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live-walks", type=int, default=WALKS, help="how many random schedules the live system follows")


@pytest.fixture(scope="session")
def walks(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--live-walks", WALKS) or WALKS)


@pytest.fixture(autouse=True)
def _nothing_overlooked(nothing_overlooked: None) -> None:
    """After each test here."""
