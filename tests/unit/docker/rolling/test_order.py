"""Every service of the compose file that runs Clarion's image is replaced, each beside its successor if it can be."""

from typing import Any

import yaml

from deploy.docker.rolling import order
from tests.conftest import repository

ONCE = {"topics", "replica-set"}


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((repository() / "docker-compose.yml").read_text())["services"]
    return found


def test_every_service_of_the_image_is_replaced_once() -> None:
    of_the_image = {name for name, service in services().items() if "SERVICE_IMAGE" in service["image"]}
    assert len(order.UPGRADE) == len(set(order.UPGRADE))
    assert set(order.UPGRADE) == of_the_image - ONCE


def test_a_rollback_goes_the_opposite_way() -> None:
    assert list(order.ROLLBACK) == list(order.UPGRADE)[::-1]


def test_only_what_has_a_port_of_the_machine_ends_first() -> None:
    assert {name for name in order.UPGRADE if "ports" in services()[name]} == order.IN_PLACE


def test_the_load_balancer_has_the_backends_that_are_asked() -> None:
    text = (repository() / "deploy" / "docker" / "haproxy.cfg").read_text()
    for service, backend in order.BACKENDS.items():
        assert f"\nbackend {backend}\n" in text
        assert f"server-template {service} " in text
