"""Values that cannot work are refused, with what to do; every setting of the processes can be set."""

from typing import Any

import helm_python
import msgspec
import pytest

from clarion.contracts.topics import Names
from clarion.operating.access.roles import roles
from clarion.settings import Settings
from deploy.helm.schema import OWN, SECRET
from tests.unit.helm.rendered import Rendered, case, merged, pods, render, values_of


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"gatway": {}}, "gatway"),
        ({"settings": {"kafak": "k:9092"}}, "kafak"),
        ({"settings": {"drain_s": 21}}, "drain_s"),
        ({"settings": {"log_level": "loud"}}, "log_level"),
        ({"settings": {"mongodb": "mongodb://u:p@m"}}, "mongodb"),
        (
            {"ingest": {"resources": {"requests": {"cpu": 1, "memory": "1Gi"}}}, "image": {"pullPolicy": "Sometimes"}},
            "pullPolicy",
        ),
        ({"gateway": {"replicas": 129}}, "more than half of the 256 mailboxes"),
        ({"gateway": {"replicas": 5}, "settings": {"partitions_deliveries": 8}}, "more than half of the 8 mailboxes"),
        ({"gateway": {"autoscaling": {"enabled": True, "max": 200}}}, "more than half of the 256 mailboxes"),
        ({"lanes": {"low": {"replicas": 17}}}, "more than the 16 partitions"),
        ({"ingest": {"autoscaling": {"enabled": True, "min": 5, "max": 4}}}, "max is below min"),
        ({"secrets": {"jwtSecret": {"name": ""}}}, "settings.jwks_url"),
        ({"secrets": {"mongodb": {"name": ""}}}, "secrets.mongodb.name"),
        ({"settings": {"kafka_protocol": "SASL_SSL"}}, "secrets.kafka.name"),
        ({"settings": {"kafka_protocol": "TLS"}}, "kafka_protocol"),
        ({"settings": {"kafka_password": "p"}}, "kafka_password"),
        ({"secrets": {"kafkaTls": {"name": "ca"}}}, "kafka_protocol does not encrypt"),
        ({"secrets": {"mongodbTls": {"name": "ca", "ca": ""}}}, "secrets.mongodbTls names no keys"),
        ({"secrets": {"mongodbTls": {"name": "ca", "cert": "tls.crt"}}}, "cert and key go together"),
        ({"secrets": {"perRole": True}}, "secrets.perRole needs secrets.kafka.name"),
        (
            {"secrets": {"perRole": True, "kafka": {"name": "users"}}, "settings": {"kafka_user": "one"}},
            "leave settings.kafka_user out",
        ),
        ({"ingress": {"enabled": True}}, "ingress.hosts"),
        ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs"),
        ({"autoscaling": {"by": "keda"}}, "autoscaling.prometheus"),
    ],
)
def test_what_cannot_work_is_refused_by_name(values: dict[str, Any], told: str) -> None:
    with pytest.raises(helm_python.HelmError, match=told):
        render(values)


def test_each_component_logs_in_as_its_own_user_if_told_to() -> None:
    found: dict[str, tuple[str, set[str]]] = {}
    for name, meta, spec in pods(case("secured").objects):
        del name
        (user,) = (one["value"] for one in spec["containers"][0]["env"] if one["name"] == "CLARION_KAFKA_USER")
        keys = {
            item["key"] for source in spec["volumes"][0]["projected"]["sources"] for item in source["secret"]["items"]
        }
        found[meta["labels"]["app.kubernetes.io/component"]] = user, keys
    assert found["topics"] == ("blue-clarion-operator", {"kafka.operator", "ca.crt", "tls.crt", "tls.key"})
    assert found["lane-low"][0] == "blue-clarion-lane-low"
    assert {"kafka.lane-low", "mongodb.lane-low"} < found["lane-low"][1]
    users = {user for user, _ in found.values()}
    assert users == {f"blue-clarion-{role.name}" for role in roles(Names("blue-"))} - {"blue-clarion-publisher"}


def config(rendered: Rendered) -> dict[str, str]:
    (found,) = (one for one in rendered.of("ConfigMap") if one["metadata"]["name"] == "clarion")
    data: dict[str, str] = found["data"]
    return data


@pytest.mark.parametrize("name", sorted({*Settings.__struct_fields__} - OWN - SECRET))
def test_every_setting_can_be_set(name: str) -> None:
    default = getattr(Settings(), name)
    if name in ("partitions_lane", "partitions_deliveries"):  # of which the chart knows how many it needs
        default = 2 * default
    data = config(render({"settings": {name: default}}))
    read = {name.lower().removeprefix("clarion_"): value for name, value in data.items()}
    assert getattr(msgspec.convert(read, Settings, strict=False), name) == default


def test_the_processes_take_the_settings_as_they_are_written() -> None:
    values = {"settings": {"safety_net_s": 90, "trace_ratio": 0.001, "drain_s": 2.5, "connections": 1_000_000}}
    settings = Settings.from_env(config(render(values)), knows_users=False)
    assert (settings.safety_net_s, settings.trace_ratio, settings.drain_s) == (90, 0.001, 2.5)
    assert settings.connections == 1_000_000


def test_a_changed_setting_restarts_all_pods() -> None:
    def checksums(values: dict[str, Any]) -> set[str]:
        found = render(values).of("Deployment")
        return {one["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for one in found}

    (before,) = checksums({})
    assert checksums({}) == {before}
    assert checksums({"settings": {"log_level": "debug"}}) != {before}


def test_without_a_console_nothing_is_left_of_it() -> None:
    rendered = render({"console": {"enabled": False}})
    assert not [one for one in rendered.objects if "console" in one["metadata"]["name"]]
    assert "console" not in config(rendered)["CLARION_PROCESSES"]


def test_files_of_values_merge_as_they_are_said_to() -> None:
    assert merged({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}}) == {"a": {"b": 1, "d": 3}, "c": 2}
    assert values_of("values-small.yaml")["gateway"] == {"replicas": 1}
