"""The chart rendered by Helm's own library, without a cluster."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import helm_python
import yaml

from deploy.helm.pages import CHART

Object = dict[str, Any]
Values = Mapping[str, Any]

_ALL: Final[Values] = {
    "autoscaling": {"by": "keda", "prometheus": "http://prometheus:9090"},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "hosts": {"gateway": "live.example", "ingest": "api.example", "console": "ops.example"},
        "tls": [{"hosts": ["live.example"], "secretName": "tls"}],
    },
    "httpRoute": {
        "enabled": True,
        "parentRefs": [{"name": "public"}],
        "hosts": {"gateway": "live.example", "ingest": "api.example"},
    },
    "networkPolicy": {
        "clients": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
        "monitoring": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "kafka": {"to": [{"podSelector": {"matchLabels": {"app": "kafka"}}}], "ports": [9092, 9093]},
        "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
    },
    "monitoring": {"labels": {"release": "prometheus"}},
    "pod": {
        "annotations": {"example/a": "b"},
        "labels": {"team": "notify"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
    },
    "image": {"pullSecrets": ["registry"], "digest": "sha256:" + "0" * 64},
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "service": {"annotations": {"example/a": "b"}},
    "settings": {"trusted_proxies": "10.0.0.0/8", "origins": "https://app.example", "drain_s": 2.5},
}

_SECURED: Final[Values] = {
    "settings": {"kafka_protocol": "SASL_SSL", "prefix": "blue-"},
    "secrets": {
        "perRole": True,
        "kafka": {"name": "kafka-users"},
        "kafkaTls": {"name": "kafka-ca", "cert": "tls.crt", "key": "tls.key"},
        "mongodbTls": {"name": "mongodb-ca"},
    },
}


def merged(values: Values, more: Values) -> dict[str, Any]:
    """Values with more of them, as Helm merges files."""
    both = dict(values)
    for key, value in more.items():
        before = both.get(key)
        is_nested = isinstance(value, dict) and isinstance(before, dict)
        both[key] = merged(cast("Values", before), cast("Values", value)) if is_nested else value
    return both


def values_of(name: str) -> dict[str, Any]:
    """The values of a file of the chart."""
    loaded: dict[str, Any] = yaml.safe_load((CHART / name).read_text())
    return loaded


# By name: each file of values, and everything at once that can be turned on, with either way to scale.
CASES: Final[Mapping[str, Values]] = {
    "default": {},
    "small": values_of("values-small.yaml"),
    "large": values_of("values-large.yaml"),
    "all": merged(values_of("values-large.yaml"), _ALL),
    "secured": _SECURED,
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """All objects, with the hooks, and the notes."""

    objects: list[Object]
    notes: str

    def of(self, kind: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] == kind]


def render(values: Values) -> Rendered:
    """The chart with these values. Raises `helm_python.HelmError`, as Helm does for values that it refuses."""
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(dict(values))
        files = chart.render(dict(values), name="clarion", namespace="notify")
    notes = next(text for path, text in files.items() if path.endswith("NOTES.txt"))
    return Rendered([one for path, text in files.items() if path.endswith(".yaml") for one in _objects(text)], notes)


@cache
def case(name: str) -> Rendered:
    """The chart with the values of a case."""
    return render(CASES[name])


def _objects(text: str) -> Iterator[Object]:
    yield from filter(None, yaml.safe_load_all(text))


def pods(objects: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """Each pod that the objects make: a name, its metadata and its spec."""
    for one in objects:
        if one["kind"] in ("Deployment", "Job"):
            template = one["spec"]["template"]
            yield one["metadata"]["name"], template["metadata"], template["spec"]
        elif one["kind"] == "Pod":
            yield one["metadata"]["name"], one["metadata"], one["spec"]


def labelled(labels: Mapping[str, str], selector: Mapping[str, Any]) -> bool:
    """Whether a selector, as Services or as policies have it, chooses what has these labels."""
    wanted = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in expressions)
    return wanted.items() <= labels.items() and all(labels.get(one["key"]) in one["values"] for one in expressions)
