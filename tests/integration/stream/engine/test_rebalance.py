"""Partitions move between living workers under load: nothing is lost, stuck, or repeated beyond what was in flight."""

import random

import pytest
from rich.console import Console

from deploy.local.stack import Stack
from tests.faults.stream.main import one_kind

pytestmark = pytest.mark.slow


async def test_workers_joining_and_leaving_lose_and_disorder_nothing(stack: Stack) -> None:
    """A third worker joins and leaves, twice: for a moment what `make faults-stream` does for long."""
    chance = random.Random(20261125)
    rows = await one_kind(stack, stack.env, "rebalance", chance, 0.2, 5_000, Console(quiet=True))
    assert {row.name: row.value for row in rows if row.ok is False} == {}
    assert next(row.value for row in rows if row.name == "rebalance: published") >= 5_000
