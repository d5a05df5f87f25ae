"""The running gateways against a client that plays the table, over both transports."""

import pytest

from clarion.client import HttpPublisher
from clarion.settings import Settings
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from tests.conformance.client import OpenLine, Player, by_socket, by_stream
from tests.conformance.table import Case, cases_for
from tests.conftest import until
from tests.observing import states

_PLAYED = [
    *(pytest.param(by_socket, case, id=f"socket-{case.name}") for case in cases_for("gateway", "socket")),
    *(pytest.param(by_stream, case, id=f"stream-{case.name}") for case in cases_for("gateway")),
]


@pytest.mark.parametrize(("open_line", "case"), _PLAYED)
async def test_a_gateway_does_what_the_table_says(
    open_line: OpenLine, case: Case, live: Settings, publisher: HttpPublisher, user: str, stored: Database
) -> None:
    player = Player(live, publisher, user, open_line)
    await player.play(case)

    async def all_are_delivered() -> bool:
        found = await states(stored, player.acknowledged)
        return not {State.PENDING, None} & set(found)

    await until(all_are_delivered)
