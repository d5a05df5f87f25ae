"""Clients that come back wait as the SDK does, are admitted as the gateway does, and each of them comes back once."""

import random

from clarion.contracts import limits
from tests.growth.simulation.returning import Returning

STEP_S = 0.02


def run(clients: Returning, seconds: float, connect_s: float, stored_per_s: float) -> None:
    """A loop of one core that does nothing else, and a store that takes so many sessions a second."""
    given = done = stored = begun = 0.0
    for step in range(round(seconds / STEP_S)):
        given += clients.try_until(step * STEP_S, given, connect_s) * connect_s
        done = min(given, done + STEP_S)
        clients.loop_has_done(done)
        begun += clients.begin_to_store()
        stored = min(begun, stored + stored_per_s * STEP_S)
        clients.store_has_done(stored)


def crowd(upgrades_per_s: float, count: int = 2_000, back_at: float = 0.0) -> Returning:
    clients = Returning(random.Random(1), upgrades_per_s, 100)
    clients.cut(count, network_is_back_at=back_at)
    return clients


def test_all_come_back_once() -> None:
    clients = crowd(500)
    run(clients, 60, 0.0005, 5_000)
    assert (clients.back, clients.is_over, clients.gave_up) == (2_000, True, 0)


def test_nobody_is_back_before_the_network() -> None:
    clients = crowd(500, back_at=30.0)
    run(clients, 29, 0.0005, 5_000)
    assert (clients.back, clients.under_way) == (0, 0)
    run_on = crowd(500, back_at=30.0)
    run(run_on, 30 + limits.RECONNECT_MAX_S + 40, 0.0005, 5_000)
    assert run_on.back == 2_000


def test_more_than_the_limit_are_refused_and_come_later() -> None:
    clients = crowd(50)
    run(clients, 10, 0.0005, 5_000)
    assert 300 <= clients.back <= 500  # 50 a second; some of these moments nobody uses, since all wait by chance
    assert clients.refused > 0


def test_a_loop_that_is_too_slow_makes_clients_give_up() -> None:
    clients = crowd(500)
    run(clients, 30, 0.05, 5_000)
    assert clients.gave_up > 0


def test_a_slow_store_greets_clients_without_their_session() -> None:
    clients = crowd(500)
    run(clients, 30, 0.0005, 100)
    assert clients.degraded > 0
