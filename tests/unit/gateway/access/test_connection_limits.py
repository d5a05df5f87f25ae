"""The gateway's door on a clock of its own: who comes in, and when the others are told to come back."""

from http import HTTPStatus

import msgspec

from clarion.settings import Settings
from clarion.telemetry import metrics
from services.gateway.access.connection_limits import LONGEST_LINE_S, ConnectionLimits, Refusal
from tests.unit.counted import counted

SETTINGS = Settings(env="dev")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def door_of(clock: Clock, **limits: float) -> ConnectionLimits:
    return ConnectionLimits(msgspec.structs.replace(SETTINGS, **limits), clock)


def enter(connection_limits: ConnectionLimits, address: str) -> Refusal | None:
    refusal = connection_limits.refusal(address)
    if refusal is None:
        connection_limits.enter(address)
    return refusal


def test_an_address_and_the_node_have_limits_until_one_leaves() -> None:
    connection_limits = door_of(Clock(), connections=3, connections_per_ip=2, upgrades_per_s=0)
    assert [enter(connection_limits, "a") for _ in range(2)] == [None, None]
    crowded = enter(connection_limits, "a")
    assert crowded is not None
    assert crowded.status is HTTPStatus.TOO_MANY_REQUESTS
    assert crowded.retry_after_s
    assert enter(connection_limits, "b") is None
    full = enter(connection_limits, "c")
    assert full is not None
    assert full.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert full.retry_after_s
    connection_limits.leave("a")
    assert enter(connection_limits, "a") is None
    assert len(connection_limits) == 3


def test_each_refusal_is_counted_for_its_limit() -> None:
    names = ("connections", "connections_per_ip", "upgrades_per_s_per_ip", "upgrades_per_s")
    before = {name: counted(metrics.rate_limited, name) for name in names}
    crowded = door_of(Clock(), connections=2, connections_per_ip=1, upgrades_per_s=0, upgrades_per_s_per_ip=0)
    often = door_of(Clock(), connections_per_ip=3, upgrades_per_s=10, upgrades_per_s_per_ip=1)
    for address in ("a", "a", "b", "c"):
        enter(crowded, address)
    for _ in range(4):
        often.refusal("a", shows_token=False)
    for address in ("b", "c"):
        often.refusal(address)
    assert {name: counted(metrics.rate_limited, name) - before[name] for name in names} == dict.fromkeys(names, 1)


def test_a_storm_enters_at_the_rate_and_the_rest_is_spread_out() -> None:
    clock = Clock()
    connection_limits = door_of(clock, upgrades_per_s=500, connections_per_ip=0)
    refusals = [refusal for _ in range(5_000) if (refusal := enter(connection_limits, "a"))]
    assert len(connection_limits) == 50
    assert {refusal.status for refusal in refusals} == {HTTPStatus.SERVICE_UNAVAILABLE}
    turns = [refusal.retry_after_s or 0 for refusal in refusals]
    assert turns == sorted(turns)
    assert max(turns.count(second) for second in set(turns)) <= 501
    assert max(turns) == 10
    for _ in range(100):
        clock.now += 0.01
        for _ in range(20):
            enter(connection_limits, "a")
    assert len(connection_limits) == 50 + 500


def test_an_address_beyond_its_rate_takes_no_turns_of_others() -> None:
    clock = Clock()
    connection_limits = door_of(clock, upgrades_per_s=500, upgrades_per_s_per_ip=50, connections_per_ip=100)
    outcomes: list[Refusal | None] = []
    for _ in range(1_000):
        clock.now += 0.001
        outcomes += [connection_limits.refusal("hostile", shows_token=True) for _ in range(3)]
    assert outcomes.count(None) <= 100 + 50
    refused = [refusal for refusal in outcomes if refusal]
    assert {refusal.status for refusal in refused[100:]} == {HTTPStatus.TOO_MANY_REQUESTS}
    assert all(refusal.retry_after_s for refusal in refused)
    assert [enter(connection_limits, f"honest-{n}") for n in range(28)] == [None] * 28


def test_clients_without_a_token_take_no_turns_of_those_with_one() -> None:
    connection_limits = door_of(Clock(), upgrades_per_s=500)
    assert all(connection_limits.refusal(f"hostile-{n}", shows_token=False) is None for n in range(3_000))
    assert [enter(connection_limits, f"honest-{n}") for n in range(28)] == [None] * 28


def test_the_rate_of_an_address_needs_a_limit_of_its_connections() -> None:
    """Without it an address may be everybody's, as behind a proxy that says nothing of whom it forwards."""
    connection_limits = door_of(Clock(), connections_per_ip=0, upgrades_per_s=0)
    assert all(enter(connection_limits, "a") is None for _ in range(1_000))


def test_nobody_is_told_to_stay_away_for_long() -> None:
    connection_limits = door_of(Clock(), upgrades_per_s=1)
    refusals = [enter(connection_limits, str(n)) for n in range(1_000)]
    assert max(refusal.retry_after_s or 0 for refusal in refusals if refusal) == LONGEST_LINE_S


def test_zero_is_no_limit() -> None:
    connection_limits = door_of(Clock(), connections=0, connections_per_ip=0, upgrades_per_s=0)
    assert all(enter(connection_limits, "a") is None for _ in range(1_000))
