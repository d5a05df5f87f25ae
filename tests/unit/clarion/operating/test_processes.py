import asyncio
import time

import pytest

from clarion.operating import processes, samples
from clarion.operating.processes import AdminPort, admin_ports
from clarion.settings import Settings, SettingsError
from tests.unit.clarion.operating.answering import answering, saying


def named(text: str) -> Settings:
    return Settings(env="dev", processes=text)


def test_names_and_addresses_are_read_from_the_setting() -> None:
    assert admin_ports(named("gateway=http://a:9400,http://b:9400/ \n ingest=http://c:9400")) == [
        AdminPort("gateway", "http://a:9400"),
        AdminPort("gateway", "http://b:9400"),
        AdminPort("ingest", "http://c:9400"),
    ]
    assert admin_ports(named("")) == []


@pytest.mark.parametrize(
    "text",
    ["gateway", "=http://a", "gateway=", "a b=http://c", "low=ftp://a", "low=http://", "low=a:1", "low=http://a:x"],
)
def test_what_is_wrong_with_the_setting_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match=r"CLARION_PROCESSES.*gateway=http://gateway:9400"):
        admin_ports(named(text))


async def test_all_questions_are_asked_of_each_process() -> None:
    async with answering(saying("stream-low")) as low, answering(saying("gateway", ready=False)) as gateway:
        one, other = await processes.ask_all(named(f"low={low} gateway-1={gateway}"))
    assert (one.role, one.status, one.unready, one.errors) == ("low", "ok", [], [])
    assert one.figures["uptime_s"] == 1.0
    assert samples.total(one.samples, "clarion_stored_total", lane="low") == 4
    assert (other.name, other.role, other.unready) == ("gateway-1", "gateway", ["starting"])


async def test_a_process_that_does_not_answer_is_told_as_such() -> None:
    async with answering(saying("ingest")) as there:
        gone, one = await processes.ask_all(named(f"high-2=http://127.0.0.1:1 ingest={there}"))
    assert (gone.role, gone.status, gone.unready) == ("high", "", ("no answer",))
    assert "/health: nothing listens there: it has ended, or was never started" in gone.errors
    assert one.status == "ok"


async def test_a_process_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "ANSWER_S", 0.2)
    async with answering(saying("ingest")) as there, answering({}) as hangs:
        began = time.monotonic()
        silent, one = await processes.ask_all(named(f"high={hangs} ingest={there}"))
    assert time.monotonic() - began < 1.5
    assert one.status == "ok"
    assert "/health: no answer within 0.2 s: it hangs, or the way to it is cut" in silent.errors


async def test_what_is_no_process_of_ours_is_told() -> None:
    async with answering(dict.fromkeys(saying(""), "<html>")) as other:
        (view,) = await processes.ask_all(named(f"low={other}"))
    assert view.status == ""
    assert any("not what a process of Clarion answers" in error for error in view.errors)


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_ANSWER_BYTES", 1000)
    async with answering(saying("ingest") | {"/metrics": "#" * 2000}) as there:
        (view,) = await processes.ask_all(named(f"ingest={there}"))
    assert view.status == "ok"
    assert view.errors == ["/metrics: the answer has more than 1000 bytes"]


async def test_each_address_of_a_host_is_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        ipv4 = [(2, 1, 6, "", (address, port)) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1")]
        return [*ipv4, (10, 1, 6, "", ("fd00::1", port, 0, 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    resolved = await processes._resolved(AdminPort("gateway", "http://gateway:9400"))
    assert resolved == [AdminPort("gateway", "http://10.0.0.1:9400"), AdminPort("gateway", "http://10.0.0.2:9400")]


async def test_a_host_without_an_address_is_told() -> None:
    (view,) = await processes.ask_all(named("gateway=http://no-such-host.invalid:9400"))
    assert "no-such-host.invalid" in view.errors[0]
