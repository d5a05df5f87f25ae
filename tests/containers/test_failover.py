"""Database and broker fail over under load: nothing is lost or doubled, and nothing needs a restart."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from pymongo.errors import AutoReconnect

from clarion.client import Lane
from tests.conftest import until
from tests.containers.servers import MEMBERS
from tests.containers.system import System
from tests.containers.traffic import Sent, flowing

USERS = 80  # each waits for the answer to one before the next, so few of them would not reach the rate
RATE = 200.0
BEFORE_S = 3.0
NORMAL_WITHIN_S = 30.0
URGENT_WITHIN_S = 5.0


async def through(running: System, fault: Callable[[], None]) -> tuple[list[Sent], float]:
    """Everything that was sent before, during and after a fault until service is normal, and when that was."""
    before = running.restarts()
    async with flowing(running.settings, USERS, RATE) as traffic:
        await asyncio.sleep(BEFORE_S)
        at = time.monotonic()
        await asyncio.to_thread(fault)
        fault_s = time.monotonic() - at
        normal_after_s = await traffic.normal_again(NORMAL_WITHIN_S)
        took_s = time.monotonic() - at
    sent = traffic.settled()
    before_s = at - min(one.asked_at for one in sent)
    quiet = sum(one.asked_at < at for one in sent) / before_s
    rate = sum(at <= one.asked_at < at + took_s for one in sent) / took_s
    print(
        f"the fault took {fault_s:.1f} s, and service was normal {normal_after_s:.1f} s later; "
        f"{quiet:.0f} a second before it, {rate:.0f} from then on"
    )
    assert running.restarts() == before
    return sent, at


def worst_urgent_s(sent: list[Sent], since: float) -> float:
    """The longest time from the answer 202 to the user, of what was urgent since then."""
    return max(one.arrived_at - one.accepted_at for one in sent if one.lane is Lane.URGENT and one.asked_at >= since)


async def test_a_primary_that_steps_down_loses_nothing(running: System) -> None:
    await until(running.mongo.primary)
    primary = running.mongo.primary()

    def step_down() -> None:
        with suppress(AutoReconnect):  # it may end the connection on which it was asked
            running.mongo.ask(primary, "replSetStepDown", 15, force=True)

    sent, at = await through(running, step_down)
    assert worst_urgent_s(sent, at) < URGENT_WITHIN_S


async def test_a_killed_primary_loses_nothing(running: System) -> None:
    await until(running.mongo.primary)
    primary = running.mongo.primary()
    try:
        sent, at = await through(running, lambda: running.fleet[primary].kill("SIGKILL"))
        others = [member for member in MEMBERS if member != primary]
        assert running.mongo.primary() in others
    finally:
        running.fleet[primary].start()
    assert worst_urgent_s(sent, at) < URGENT_WITHIN_S


async def test_a_lost_broker_loses_nothing(running: System) -> None:
    try:
        await through(running, lambda: running.fleet["kafka-1"].kill("SIGKILL"))
    finally:
        running.fleet["kafka-1"].start()


async def test_the_audit_accounts_for_everything_in_the_end(running: System) -> None:
    """Whatever the tests before did, each accepted notification is in exactly one state."""

    async def is_clean() -> bool:
        code, _ = await asyncio.to_thread(running.ended, ["audit", "--json"])
        return code == 0

    await until(is_clean, 60.0)
