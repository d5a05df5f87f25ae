"""What clients have sent is handled in order and in pieces, and a bound keeps it small."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs

from services.gateway.client.inbound import Inbound


class Client:
    """Keeps what is handled of it, in `log`; `works_s` is how long each piece takes."""

    def __init__(self, name: str, log: list[str], works_s: float = 0) -> None:
        self.name = name
        self.log = log
        self.works_s = works_s
        self.fails = False
        self.is_aborted = False

    def handle(self, data: bytes) -> None:
        if self.fails:
            raise ValueError("unexpected")
        end = asyncio.get_running_loop().time() + self.works_s
        while asyncio.get_running_loop().time() < end:
            pass
        self.log.append(f"{self.name} {data.decode()}")

    def abort(self) -> None:
        self.is_aborted = True


@asynccontextmanager
async def running(inbound: Inbound) -> AsyncGenerator[None]:
    task = asyncio.create_task(inbound.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class OnClock(Client):
    """Works for as long as it says on a clock of the test's own."""

    now = 1_000.0

    def handle(self, data: bytes) -> None:
        OnClock.now += self.works_s
        self.log.append(f"{self.name} {data.decode()}")


async def test_what_takes_little_time_is_handled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.client.inbound.time.monotonic", lambda: OnClock.now)
    inbound, log = Inbound(at_once_s=0.01), list[str]()
    ann, bob = OnClock("ann", log, works_s=0.001), OnClock("bob", log, works_s=0.02)
    async with running(inbound):
        inbound.put(ann, b"1")
        inbound.put(bob, b"2")
        inbound.put(ann, b"3")
        assert log == ["ann 1", "bob 2"]
        await inbound.handled()
        inbound.put(ann, b"4")
        assert log[2:] == ["ann 3"]
        await inbound.handled()
        OnClock.now += 0.06  # a quarter of it is more than what is owed
        inbound.put(bob, b"5")
        assert log[3:] == ["ann 4", "bob 5"]


async def test_what_a_client_sends_is_handled_later_and_in_order() -> None:
    inbound, log = Inbound(at_once_s=0), list[str]()
    ann, bob = Client("ann", log), Client("bob", log)
    async with running(inbound):
        inbound.put(ann, b"1")
        inbound.put(bob, b"2")
        inbound.put(ann, b"3")
        assert log == []
        await inbound.handled()
        assert log == ["ann 13", "bob 2"]
        inbound.put(bob, b"4")
        await inbound.handled()
        assert log[2:] == ["bob 4"]


async def test_what_is_handled_now_is_not_handled_again() -> None:
    inbound, log = Inbound(at_once_s=0), list[str]()
    ann = Client("ann", log)
    async with running(inbound):
        inbound.put(ann, b"1")
        inbound.handle_now(ann)
        assert log == ["ann 1"]
        inbound.handle_now(ann)
        await inbound.handled()
    assert log == ["ann 1"]


async def test_a_client_that_cannot_be_handled_now_harms_nobody() -> None:
    inbound, ann = Inbound(at_once_s=0), Client("ann", [])
    ann.fails = True
    with capture_logs() as logs:
        inbound.put(ann, b"1")
        inbound.handle_now(ann)
    assert ([line["log_level"] for line in logs], ann.is_aborted) == (["error"], True)


async def test_beyond_the_bound_all_is_handled_at_once() -> None:
    inbound, log = Inbound(most_bytes=10, at_once_s=0), list[str]()
    clients = [Client(str(n), log) for n in range(3)]
    for client in clients:
        inbound.put(client, b"12345")
    assert log == ["0 12345", "1 12345", "2 12345"]
    inbound.put(clients[0], b"1234567890")  # what was handled counts no more
    assert len(log) == 3


async def test_others_get_turns_between_the_pieces() -> None:
    inbound, log = Inbound(at_once_s=0), list[str]()
    async with running(inbound):
        for n in range(6):
            inbound.put(Client(str(n), log, works_s=0.001), b"")
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await asyncio.sleep(0)
            busy_until = loop.time() + 0.0001  # a turn that has nothing to do is not waited for
            while loop.time() < busy_until:
                pass
        assert len(log) == 1
        await asyncio.sleep(0.05)
        assert len(log) == 6


async def test_a_client_that_cannot_be_handled_is_ended_alone() -> None:
    inbound, log = Inbound(at_once_s=0), list[str]()
    ann, bob = Client("ann", log), Client("bob", log)
    ann.fails = True
    with capture_logs() as logs:
        async with running(inbound):
            inbound.put(ann, b"1")
            inbound.put(bob, b"2")
            await inbound.handled()
    assert [line["log_level"] for line in logs] == ["error"]
    assert (ann.is_aborted, bob.is_aborted, log) == (True, False, ["bob 2"])


async def test_bulk_does_not_wait_for_ever_for_what_comes() -> None:
    inbound, log = Inbound(at_once_s=0), list[str]()
    inbound.put(Client("ann", log), b"1")
    async with asyncio.timeout(1):
        await inbound.handled()  # nobody handles it
    assert log == []
