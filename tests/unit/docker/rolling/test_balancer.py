"""What HAProxy says of its servers is read as its manual describes it."""

import pytest

from deploy.docker.engine import EngineError
from deploy.docker.rolling import balancer
from deploy.docker.rolling.balancer import Backend, Server, parse
from deploy.docker.rolling.compose import Container
from tests.conftest import repository

# as HAProxy 2.6 answers
ANSWER = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change
4 gateways 1 gateway1 10.213.93.131 2 0 1 1 12 15 3 4 6 0 0 0 gateway 8081 - 0 0 - - 0
4 gateways 2 gateway2 10.213.93.132 2 8 1 1 12 15 3 4 6 0 0 0 gateway 8081 - 0 0 - - 0
4 gateways 3 gateway3 10.213.93.133 0 0 1 1 2 15 2 0 6 0 0 0 gateway 8081 - 0 0 - - 0
4 gateways 4 gateway4 - 0 32 1 1 12 1 0 0 14 0 0 0 gateway 8081 - 0 0 - - 0

"""


def test_servers_are_read() -> None:
    assert parse(ANSWER) == [
        Server("gateway1", "10.213.93.131", is_up=True, is_drained=False),
        Server("gateway2", "10.213.93.132", is_up=True, is_drained=True),
        Server("gateway3", "10.213.93.133", is_up=False, is_drained=False),
        Server("gateway4", "-", is_up=False, is_drained=False),
    ]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    commands: list[str] = []

    def read(command: list[str], *_: object, **__: object) -> str:
        commands.append(command[-1])
        return ANSWER if command[-1].startswith("show") else ""

    monkeypatch.setattr(balancer, "read", read)
    return commands


BACKEND = Backend(Container("id", "image"), "gateways")


def test_only_the_server_at_the_address_is_drained(asked: list[str]) -> None:
    BACKEND.drain("10.213.93.133")
    assert asked[1:] == ["set server gateways/gateway3 state drain"]


def test_places_of_drained_servers_are_given_back(asked: list[str]) -> None:
    BACKEND.forget_drained()
    assert asked[1:] == ["set server gateways/gateway2 state ready"]


def test_a_server_that_is_not_used_in_time_is_an_error(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancer, "KNOWN_WITHIN_S", 0.0)
    monkeypatch.setattr(balancer, "_LOOK_EVERY_S", 0.001)
    with pytest.raises(EngineError, match=r"the load balancer does not use 10\.213\.93\.133"):
        BACKEND.wait_for("10.213.93.133")


def test_a_server_counts_as_gone_once_its_checks_fail(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancer, "KNOWN_WITHIN_S", 0.0)
    BACKEND.wait_without("10.213.93.133")
    with pytest.raises(EngineError, match=r"does not see that 10\.213\.93\.132 is gone"):
        BACKEND.wait_without("10.213.93.132")


def test_the_configuration_has_the_port_that_is_asked() -> None:
    text = (repository() / "deploy" / "docker" / "haproxy.cfg").read_text()
    assert f"stats socket ipv4@127.0.0.1:{balancer.PORT} level admin" in text
