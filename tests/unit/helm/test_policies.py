"""What holds for every pod and every Service, whatever the values: least rights, bounds, and names that meet."""

import inspect
import re
from typing import Any, Final

import pytest
from starlette.routing import Route

from clarion.process import EXIT_WITHIN_S
from clarion.settings import Settings
from clarion.telemetry import metrics
from clarion.telemetry.health import Health
from clarion.web.admin import admin_app
from services.console import command as console
from services.gateway import server as gateway
from services.ingest import main as ingest
from tests.unit.helm.rendered import CASES, Object, case, labelled, pods

PODS: Final = [
    pytest.param(meta, spec, id=f"{case_name}-{name}")
    for case_name in CASES
    for name, meta, spec in pods(case(case_name).objects)
]
DEPLOYMENTS: Final = [
    pytest.param(one, id=f"{name}-{one['metadata']['name']}") for name in CASES for one in case(name).of("Deployment")
]
TOKENS: Final = {"ingest", "gateway", "console", "doctor"}


@pytest.mark.parametrize(("meta", "spec"), PODS)
def test_a_pod_has_no_right_that_it_does_not_need(meta: Object, spec: Object) -> None:
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert meta["labels"]["app.kubernetes.io/component"]


@pytest.mark.parametrize(("meta", "spec"), PODS)
def test_a_pod_is_bounded_and_its_image_is_known(meta: Object, spec: Object) -> None:
    del meta
    for container in spec["containers"]:
        for what in ("requests", "limits"):
            assert container["resources"][what].keys() == {"cpu", "memory"}
        assert re.search(r":(?!latest)[\w.-]+$|@sha256:[0-9a-f]{64}$", container["image"])
    assert all("sizeLimit" in one["emptyDir"] for one in spec["volumes"] if "emptyDir" in one)


@pytest.mark.parametrize(("meta", "spec"), PODS)
def test_only_who_checks_tokens_has_the_key(meta: Object, spec: Object) -> None:
    files = [
        item["path"]
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    ]
    component = meta["labels"]["app.kubernetes.io/component"]
    assert ("jwt_secret" in files) == (component in TOKENS)
    assert ("mongodb" in files) == (component != "topics")


@pytest.mark.parametrize(("meta", "spec"), PODS)
def test_each_variable_is_a_setting_that_there_is(meta: Object, spec: Object) -> None:
    del meta
    names = [one["name"] for container in spec["containers"] for one in container["env"]]
    config = case("all").of("ConfigMap")[0]["data"]
    for name in (name for name in [*names, *config] if name.startswith("CLARION_")):
        setting = name.removeprefix("CLARION_").lower()
        assert {setting, setting.removesuffix("_file")} & {*Settings.__struct_fields__}, name
    for name in (name for name in names if name.endswith("_FILE")):
        (variable,) = (one for container in spec["containers"] for one in container["env"] if one["name"] == name)
        assert variable["value"].startswith("/run/secrets/clarion/")


@pytest.mark.parametrize(("meta", "spec"), PODS)
def test_each_file_that_a_variable_names_is_mounted(meta: Object, spec: Object) -> None:
    del meta
    (container,) = spec["containers"]
    named = {one["value"] for one in container["env"] if one["name"].endswith("_FILE")}
    mounted = {
        f"/run/secrets/clarion/{item['path']}"
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
    assert named == mounted
    assert (
        not named
        or {"name": "secrets", "mountPath": "/run/secrets/clarion", "readOnly": True} in container["volumeMounts"]
    )


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_probes_ask_paths_and_ports_that_there_are(deployment: Object) -> None:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    paths = {route.path for route in admin_app(Health("test")).routes if isinstance(route, Route)}
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports["admin"] == Settings().admin_port
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in paths
        assert asked["port"] in ports


@pytest.mark.parametrize(("component", "module"), [("ingest", ingest), ("gateway", gateway), ("console", console)])
def test_clients_reach_the_port_on_which_a_process_listens(component: str, module: Any) -> None:
    listens = (
        module.PORT
        if hasattr(module, "PORT")
        else int(re.findall(r"CLARION_PORT, (\d+)", inspect.getsource(module))[0])
    )
    (service,) = (one for one in case("default").of("Service") if one["metadata"]["name"] == f"clarion-{component}")
    assert service["spec"]["ports"][0]["port"] == listens
    (deployment,) = (
        one for one in case("default").of("Deployment") if one["metadata"]["name"] == f"clarion-{component}"
    )
    ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert {"name": "http", "containerPort": listens} in ports


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_pod_has_time_to_end(deployment: Object) -> None:
    spec = deployment["spec"]["template"]["spec"]
    _, seconds = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert spec["terminationGracePeriodSeconds"] > int(seconds) + EXIT_WITHIN_S


@pytest.mark.parametrize("name", CASES)
def test_each_selector_finds_pods_with_its_ports(name: str) -> None:
    made = [(meta["labels"], spec) for _, meta, spec in pods(case(name).objects)]
    for one in case(name).of("Service"):
        chosen = [spec for labels, spec in made if labelled(labels, one["spec"]["selector"])]
        assert chosen, one["metadata"]["name"]
        for port in one["spec"]["ports"]:
            for spec in chosen:
                assert port["targetPort"] in {p["name"] for p in spec["containers"][0]["ports"]}
    for kind, path in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for one in case(name).of(kind):
            assert any(labelled(labels, one["spec"][path]) for labels, _ in made), one["metadata"]["name"]


@pytest.mark.parametrize("name", CASES)
def test_the_console_asks_services_that_there_are(name: str) -> None:
    (config,) = (one["data"] for one in case(name).of("ConfigMap") if one["metadata"]["name"] == "clarion")
    hosts = set(re.findall(r"http://([\w-]+):", " ".join(config.values())))
    assert hosts <= {one["metadata"]["name"] for one in case(name).of("Service")} | {"prometheus"}
    assert len(config["CLARION_PROCESSES"].split()) == len(case(name).of("Deployment"))


@pytest.mark.parametrize("name", CASES)
def test_disruptions_take_one_pod_of_a_component(name: str) -> None:
    budgets = case(name).of("PodDisruptionBudget")
    assert len(budgets) == len(case(name).of("Deployment"))
    for one in budgets:
        assert one["spec"]["maxUnavailable"] == 1
        assert one["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_what_is_not_allowed_is_denied() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in case("default").of("NetworkPolicy")}
    deny = policies["clarion-default-deny"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & deny.keys()
    everybody = [labels for _, meta, _ in pods(case("default").objects) for labels in [meta["labels"]]]
    assert all(labelled(labels, deny["podSelector"]) for labels in everybody)
    (admin,) = policies["clarion-admin"]["ingress"]
    assert admin["from"], "without `from`, everybody reaches the admin ports"


@pytest.mark.parametrize("by", ["keda", "hpa"])
def test_a_lane_or_gateway_is_taken_away_one_at_a_time(by: str) -> None:
    if by == "keda":
        behaviors = [
            one["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
            for one in case("all").of("ScaledObject")
        ]
    else:
        behaviors = [one["spec"]["behavior"] for one in case("large").of("HorizontalPodAutoscaler")]
    assert len(behaviors) == 6
    for one in behaviors:
        assert one["scaleDown"]["stabilizationWindowSeconds"] == 300
        assert one["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]


def test_an_upgrade_sets_no_number_of_what_is_scaled() -> None:
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in case("large").of("HorizontalPodAutoscaler")}
    for one in case("large").of("Deployment"):
        assert ("replicas" in one["spec"]) == (one["metadata"]["name"] not in scaled)


def test_sockets_may_stay_open_behind_a_proxy() -> None:
    (ingress,) = case("all").of("Ingress")
    annotations = ingress["metadata"]["annotations"]
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > 60
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    routes = {one["metadata"]["name"]: one["spec"]["rules"][0] for one in case("all").of("HTTPRoute")}
    assert routes["clarion-gateway"]["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    assert "timeouts" not in routes["clarion-ingest"]


def test_the_notes_name_what_is_missing() -> None:
    assert "trusted_proxies is not set" in case("default").notes
    assert "trusted_proxies is not set" not in case("all").notes
    assert "live.example" in case("all").notes


def test_each_way_from_outside_leads_to_a_service() -> None:
    services = {one["metadata"]["name"]: one["spec"]["ports"] for one in case("all").of("Service")}
    for one in case("all").of("Ingress"):
        for rule in one["spec"]["rules"]:
            backend = rule["http"]["paths"][0]["backend"]["service"]
            assert backend["port"]["name"] in {port["name"] for port in services[backend["name"]]}
    for one in case("all").of("HTTPRoute"):
        (backend,) = one["spec"]["rules"][0]["backendRefs"]
        assert backend["port"] in {port["port"] for port in services[backend["name"]]}


@pytest.mark.parametrize("name", CASES)
def test_policies_open_ports_that_pods_have(name: str) -> None:
    made = [(meta["labels"], spec["containers"][0].get("ports", [])) for _, meta, spec in pods(case(name).objects)]
    ports: dict[str, set[int]] = {"admin": set(), "http": set()}
    for port in (port for _, some in made for port in some):
        ports[port["name"]].add(port["containerPort"])
    policies = {one["metadata"]["name"].removeprefix("clarion-"): one["spec"] for one in case(name).of("NetworkPolicy")}
    assert [port["port"] for port in policies["admin"]["ingress"][0]["ports"]] == ["admin"]
    assert [port["port"] for port in policies["clients"]["ingress"][0]["ports"]] == ["http"]
    reached = {port["port"] for port in policies["operators"]["egress"][0]["ports"]}
    assert reached == (ports["admin"] | ports["http"]) - {8082}  # nobody inside asks the console


def test_what_scales_goes_by_metrics_that_there_are() -> None:
    declared = [one for subject in metrics.CATALOGUE for one in subject.declared]
    known = {metric.name: {label.name: label for label in metric.labels} for metric in declared}
    asked = list[tuple[str, str, str]]()
    for one in case("large").of("HorizontalPodAutoscaler"):
        (target,) = one["spec"]["metrics"]
        if told := target.get("pods") or target.get("external"):
            (pair,) = told["metric"]["selector"]["matchLabels"].items()
            asked.append((told["metric"]["name"], *pair))
    for one in case("all").of("ScaledObject"):
        (trigger,) = one["spec"]["triggers"]
        if query := trigger["metadata"].get("query"):
            asked += re.findall(r'\((\w+)\{(\w+)="([\w-]+)"', query)
    assert len(asked) == 10  # four lanes and the gateway, by either
    for name, label, value in asked:
        assert value in known[name][label].values
