"""An observer as a process of its own, and what it exports."""

import contextlib
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx2

from clarion.settings import Settings
from tests.conftest import until
from tests.subprocesses import child, env_of, figures_of, free_port, health_of

WITHIN_S: Final = 60.0  # an observer starts first
_SERIES: Final = re.compile(r'(\w+)\{(\w+)="([^"]*)"\}')


class Observer:
    """A running observer."""

    def __init__(self, admin_port: int) -> None:
        self.admin_port = admin_port

    async def values(self, name: str) -> dict[str, float]:
        """The values of a gauge by its one label; empty while they are missing."""
        found: dict[str, float] = {}
        for series, value in (await figures_of(self.admin_port)).items():
            if (told := _SERIES.fullmatch(series)) and told[1] == name:
                found[told[3]] = value
        return found

    async def value(self, name: str) -> float | None:
        """The value of a gauge without labels; None while it is missing."""
        return (await figures_of(self.admin_port)).get(name)

    async def status(self) -> str:
        return str((await health_of(self.admin_port))["status"])

    async def tells(self, name: str, expected: dict[str, float]) -> None:
        """Wait until the gauge has these values, among others."""

        async def does() -> bool:
            found = await self.values(name)
            return all(found.get(label) == value for label, value in expected.items())

        await until(does, WITHIN_S)


@asynccontextmanager
async def observing(settings: Settings) -> AsyncGenerator[Observer]:
    """An observer that runs as long as the block does, with its admin port open."""
    observer = Observer(free_port())
    env = env_of(settings) | {"CLARION_ADMIN_PORT": str(observer.admin_port)}
    async with child(["-m", "clarion.cli", "stream", "--role", "observer"], env):

        async def answers() -> bool:
            with contextlib.suppress(httpx2.TransportError):
                return bool(await observer.status())
            return False

        await until(answers, WITHIN_S)
        yield observer
