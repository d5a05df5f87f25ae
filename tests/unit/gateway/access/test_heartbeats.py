"""Heartbeats, expiry and close deadlines on a clock of the test's own: one wheel for all of them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from clarion.contracts import times
from clarion.contracts.api import frames
from clarion.contracts.limits import PING_S, PONG_S
from clarion.security.tokens import Claims
from clarion.telemetry import metrics
from services.gateway.access import heartbeats
from services.gateway.access.heartbeats import CLOSE_WITHIN_S, Heartbeats
from services.gateway.client.connection import Connection
from services.gateway.client.feed import Feed
from tests.unit.counted import counted

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOOTED_AT = 1_700_000_000.0  # on the calendar


class Wire:
    def __init__(self) -> None:
        self.said: list[frames.ServerFrame] = []
        self.codes: list[int] = []
        self.is_aborted = False
        self.waiting: Connection | None = None  # has answered, and that is not handled

    def handle_waiting(self) -> None:
        if self.waiting is not None:
            self.waiting.pong_due = False

    def write(self, text: bytes) -> None:
        self.said.append(frames.decode_server(text))

    def shut(self, code: int, reason: str) -> None:
        self.codes.append(code)

    def abort(self) -> None:
        self.is_aborted = True


class Clock:
    """`time` as the heartbeats see it; `run` turns their wheel every second."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.caught_up: datetime | None = None
        self.beats = Heartbeats(lambda: self.caught_up)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return BOOTED_AT + self.now

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 1
            self.beats.run_due(self.now)

    def connect(self, *, token_s: float = 3_600) -> tuple[Connection, Wire]:
        transport = Wire()
        claims = Claims("ann", frozenset(), self.time() + token_s, self.time())
        connection = Connection(transport, Feed(opened=NOW, since=NOW), claims=claims)
        self.beats.watch(connection)
        return connection, transport


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(heartbeats, "time", clock)
    return clock


def pings(transport: Wire) -> int:
    return sum(isinstance(frame, frames.Ping) for frame in transport.said)


def until_pinged(clock: Clock, transport: Wire) -> None:
    for _ in range(int(PING_S) + 2):
        if not pings(transport):
            clock.run(1)
    assert pings(transport) == 1


def test_a_ping_comes_every_ping_time_while_it_is_answered(clock: Clock) -> None:
    connection, transport = clock.connect()
    answered = 0
    for _ in range(int(10 * PING_S)):
        clock.run(1)
        if pings(transport) > answered:
            answered = pings(transport)
            connection.pong_due = False
    assert 9 <= answered <= 10
    assert transport.codes == []


def test_a_client_that_answers_no_ping_is_closed_then_cut_off(clock: Clock) -> None:
    _, transport = clock.connect()
    until_pinged(clock, transport)
    clock.run(PONG_S - 1)
    missed = counted(metrics.heartbeats_missed)
    assert transport.codes == []
    clock.run(3)
    assert transport.codes == [4408]
    assert counted(metrics.heartbeats_missed) == missed + 1
    clock.run(CLOSE_WITHIN_S - 3)
    assert not transport.is_aborted
    clock.run(3)
    assert transport.is_aborted


def test_an_answer_by_post_is_waited_for_while_it_may_be_coming(clock: Clock) -> None:
    connection, transport = clock.connect()
    connection.by_post = True
    until_pinged(clock, transport)
    clock.run(3 * PONG_S)  # Kafka is away: nobody knows what was posted elsewhere
    assert transport.codes == []
    clock.caught_up = times.now() - timedelta(seconds=PONG_S)
    clock.run(2 * PONG_S)
    assert transport.codes == []
    clock.caught_up = times.now()
    clock.run(PONG_S + 3)
    assert transport.codes == [4408]


def test_an_answer_that_is_not_handled_yet_is_waited_for(clock: Clock) -> None:
    connection, transport = clock.connect()
    until_pinged(clock, transport)
    transport.waiting = connection
    clock.run(3 * PONG_S)
    assert transport.codes == []
    transport.waiting = None
    clock.run(PING_S + PONG_S + 3)
    assert transport.codes == [4408]


@pytest.mark.parametrize("token_s", [3.0, PING_S * 2 + 5])
def test_a_token_ends_its_connection_within_two_seconds(clock: Clock, token_s: float) -> None:
    connection, transport = clock.connect(token_s=token_s)
    for _ in range(int(token_s) - 1):
        clock.run(1)
        connection.pong_due = False
    assert transport.codes == []
    clock.run(3)
    assert transport.codes == [4401]


def test_a_new_token_keeps_the_connection_and_hurries_no_pong(clock: Clock) -> None:
    connection, transport = clock.connect()
    until_pinged(clock, transport)
    assert connection.claims is not None
    connection.claims = Claims("ann", frozenset(), clock.time() + 1, clock.time())
    clock.beats.renew(connection)
    connection.claims = Claims("ann", frozenset(), clock.time() + 3_600, clock.time())
    clock.run(PONG_S - 2)
    assert transport.codes == [], "the wheel turned for a token that was replaced, not for the ping"
    connection.pong_due = False
    clock.run(2 * PONG_S)
    assert transport.codes == []


def test_a_token_that_is_good_for_less_long_ends_it_then(clock: Clock) -> None:
    connection, transport = clock.connect()
    connection.claims = Claims("ann", frozenset(), clock.time() + 2, clock.time())
    clock.beats.renew(connection)
    clock.run(4)
    assert transport.codes == [4401]


def test_a_connection_that_is_gone_is_forgotten(clock: Clock) -> None:
    connection, transport = clock.connect(token_s=2)
    clock.beats.forget(connection)
    clock.run(100)
    assert transport.said == []
    assert transport.codes == []


async def test_a_process_that_was_held_up_reads_answers_first(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, transport = clock.connect()
    until_pinged(clock, transport)
    sleeps = 0

    async def sleep(_: float) -> None:
        nonlocal sleeps
        sleeps += 1
        if sleeps == 1:
            clock.now += 2 * PONG_S  # the process was paused
        elif sleeps == 2:
            clock.now += 1
            connection.pong_due = False  # what had come meanwhile is read
        else:
            raise asyncio.CancelledError

    monkeypatch.setattr(heartbeats.asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await clock.beats.run()
    assert transport.codes == []
