"""The local stack's pure parts: ports, jars, state, restarts, accounting; and what it says where it cannot run."""

import asyncio
import ctypes
import gc
import os
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local import processes, state
from deploy.local.child import describe
from deploy.local.demo.account import Account
from deploy.local.errors import StackError
from deploy.local.servers import jars, kafka, mongodb, platform, ports


def test_ports_are_the_previous_then_the_usual_then_any_and_never_shared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken: int = squatter.getsockname()[1]
        free = ports.choose({"x": 0}, {})["x"]
        assert ports.choose({"a": taken}, {})["a"] not in (0, taken)
        assert ports.choose({"a": taken}, {"a": free}) == {"a": free}
        both = ports.choose({"a": free, "b": free}, {})
        assert both["a"] == free != both["b"]


def test_every_process_has_ports_of_its_own() -> None:
    specs = processes.services(gateways=2)
    wanted = processes.wanted_ports(specs)
    usual = [port for port in wanted.values() if port]
    assert len(usual) == len(set(usual))
    assert {spec.name for spec in specs} >= {"ingest", "urgent", "high", "normal", "low", "receipts", "scheduler"}
    assert wanted["gateway-1"] == 8081


def test_servers_outside_are_those_that_this_stack_would_not_start_itself() -> None:
    own = {"CLARION_KAFKA": "127.0.0.1:9092", "CLARION_MONGODB": "mongodb://127.0.0.1:27017/"}
    assert processes.outside(own, {}) == {}
    assert processes.outside(own, own) == {}
    assert processes.outside(own, own | {"CLARION_KAFKA": "kafka:9092"}) == {"CLARION_KAFKA": "kafka:9092"}


def test_a_jar_that_is_not_what_the_lock_says_is_named_and_removed(tmp_path: Path) -> None:
    (tmp_path / "good.jar").write_bytes(b"good")
    locked = jars.read_lock("# what\n" + jars.lock_text([tmp_path / "good.jar"]))
    jars.verify(tmp_path, locked)
    (tmp_path / "good.jar").write_bytes(b"evil")
    with pytest.raises(StackError, match=r"good\.jar"):
        jars.verify(tmp_path, locked)
    with pytest.raises(StackError, match="was not resolved"):
        jars.verify(tmp_path, locked)


def test_the_committed_lock_names_kafka_with_versions_and_no_addresses() -> None:
    text = jars.LOCK.read_text()
    assert "kafka_2.13-4.3.1.jar" in jars.read_lock(text)
    assert "://" not in text


def test_a_process_that_got_the_pid_of_another_is_not_taken_for_it() -> None:
    mine = state.of(os.getpid())
    assert state.find(mine) is not None
    assert state.find(state.ProcessState(mine.pid, mine.started - 1)) is None
    assert state.find(None) is None


def test_state_survives_and_only_one_supervisor_holds_the_folder(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "s")
    folder.make()
    folder.save(state.StackState(ports={"kafka": 1}, env={"A": "b"}))
    assert folder.load().ports == {"kafka": 1}
    secret = folder.secret()
    assert secret.stat().st_mode & 0o777 == 0o600
    assert folder.secret().read_text() == secret.read_text()
    with folder.lock(), pytest.raises(StackError, match="running already"), folder.lock():
        pass
    (tmp_path / "s" / "state.json").write_text("{")
    with pytest.raises(StackError, match="clarion local reset"):
        folder.load()


def test_where_there_are_no_wheels_it_says_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongodb, "binary", lambda: None)
    with pytest.raises(StackError, match="docker compose up"):
        platform.check()


def test_a_missing_libcurl_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(mongodb, "binary", lambda: Path("mongod"))
    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(StackError, match="apt-get install libcurl4"):
        platform.check()


def test_how_a_process_ended_is_said_in_words() -> None:
    assert describe(1) == "ended with code 1"
    assert describe(-9) == "was ended by SIGKILL"


def test_an_account_is_complete_only_when_everything_arrived_where_it_should() -> None:
    account = Account(published={"1": "ann", "2": "bob"}, stored={"1", "2"}, acknowledged={"1", "2"})
    account.received("1", "ann", is_live=True)
    assert account.unaccounted == {"2"}
    account.received("2", "bob", is_live=False)
    assert account.is_complete()
    account.received("2", "bob", is_live=False)
    assert account.is_complete()
    assert account.duplicates == 1
    account.received("3", "ann", is_live=True)
    assert account.unaccounted == {"3"}
    account.received("1", "bob", is_live=True)
    assert account.unaccounted == {"1", "3"}


async def test_a_broker_that_starts_slowly_is_not_ready_and_no_connection_to_it_stays_open() -> None:
    async with slow_broker(versions_after_s=0.8) as port:
        assert not await kafka.is_ready(port)
        gc.collect()  # pytest makes an error of what it then warns of


@asynccontextmanager
async def slow_broker(versions_after_s: float) -> AsyncGenerator[int]:
    """It says what it can do (KIP-35: metadata, versions 0 and 1), late, and answers nothing else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while size := await reader.read(4):
                api, _, correlation = struct.unpack_from(">hhi", await reader.readexactly(*struct.unpack(">i", size)))
                if api == 18:
                    await asyncio.sleep(versions_after_s)
                    writer.write(struct.pack(">iihihhh", 16, correlation, 0, 1, 3, 0, 1))
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port
