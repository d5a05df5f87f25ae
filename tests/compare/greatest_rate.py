"""How many notifications a second a system carries, to those who are connected at first, before it falls behind."""

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle
from typing import Final

from tests.compare import devices
from tests.compare.account import Account
from tests.compare.arms.arm import Arm, Report
from tests.compare.publishing import publish
from tests.compare.workload import Course, Kind, Phase, Publish, Said, everybody, users

RATES: Final = tuple(round(40 * 1.5**step) for step in range(12))  # 40 to 3,460 a second
STEP_S: Final = 5.0
BEHIND_S: Final = 2.0  # how long after a step the last of its notifications may come


async def greatest_rate(arm: Arm, said: Sequence[Said], say: Report) -> int:
    """Return the last of `RATES` whose notifications were all accepted and were at their users in time; 0 for none."""
    account, carried = Account(), 0
    away = set(users(Kind.AWAY))
    connected = [user for user in everybody() if user not in away]
    async with arm.running(say) as system, devices.running(system, account) as all_devices:
        await all_devices.connect(connected)
        for rate in RATES:
            course, until = step(rate, connected, said), time.monotonic() + STEP_S + BEHIND_S
            await publish(course, system.entrance, account)
            while (missing := account.missing(connected)) and time.monotonic() < until:
                await asyncio.sleep(0.05)
            refused = sum(one.key not in account.accepted for one in course.publishes)
            if missing or refused or time.monotonic() > until:
                say(f"{rate} a second: {len(missing)} are late, {refused} were refused")
                break
            carried = rate
    return carried


def step(rate: int, to: Sequence[str], said: Sequence[Said]) -> Course:
    """Return the course of one step, in which batches are allowed."""
    told, recipients = cycle(said), cycle(to)
    publishes = [
        Publish(number / rate, f"r{rate}-{number}", next(recipients), next(told))
        for number in range(int(rate * STEP_S))
    ]
    return Course(Phase.GROWTH, STEP_S, publishes, ())
