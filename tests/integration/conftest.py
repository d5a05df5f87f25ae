from collections.abc import AsyncGenerator

import pytest

from clarion.settings import Settings
from clarion.store.driver import database
from clarion.store.driver.database import Database
from tests.conftest import until
from tests.subprocesses import net_of

WALKS = 4


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live-walks", type=int, default=WALKS, help="how many random schedules the live system follows")


@pytest.fixture(scope="session")
def walks(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--live-walks", WALKS) or WALKS)


@pytest.fixture
async def own(settings: Settings) -> AsyncGenerator[Database]:
    """The database of a test that has topics and a database of its own."""
    connection = database.connect(settings)
    yield connection
    database.close(connection)


@pytest.fixture(scope="module", autouse=True)
async def _nets_look(request: pytest.FixtureRequest, gateway_admins: list[int]) -> AsyncGenerator[None]:
    """Whatever a module of tests does to the stack, in its time each gateway's safety net looks, and can do so."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path]
    before = [(await net_of(port)).looks for port in gateway_admins]
    yield
    if all("live" not in test.fixturenames for test in tests):
        return  # they have services of their own

    async def have_looked() -> bool:
        now = [(await net_of(port)).looks for port in gateway_admins]
        # fewer than before: it has begun anew
        return all(looks and looks != earlier for looks, earlier in zip(now, before, strict=True))

    await until(have_looked)


@pytest.fixture(autouse=True)
async def _nothing_overlooked(gateway_admins: list[int]) -> AsyncGenerator[None]:
    """Whatever a test does to the stack, no safety net finds what no other way has delivered."""
    yield
    assert not sum([(await net_of(port)).overlooked for port in gateway_admins])
