"""Makes the chart's values.schema.json: Helm refuses values that are misspelled or out of bounds, and says which."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clarion.contracts.lanes import LANES
from clarion.contracts.limits import END
from clarion.settings import Settings

Schema = dict[str, Any]

# What the chart sets by itself, and what is no setting of a deployment: secrets and certificates are files of Secrets.
OWN: Final = frozenset({"processes", "ingest_url", "gateway_url", "host", "port", "admin_port"})
SECRET: Final = frozenset(
    {
        *("mongodb", "mongodb_file", "mongodb_ca_file", "mongodb_cert_file", "mongodb_key_file"),
        *("kafka_password", "kafka_password_file", "kafka_ca_file", "kafka_cert_file", "kafka_key_file"),
        "jwt_secret",
    }
)

_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_ANY: Final[Schema] = {"type": "object"}
_LIST: Final[Schema] = {"type": "array"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_LABELS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_POSITIVE: Final[Schema] = {"type": "integer", "minimum": 1}
_HOST: Final[Schema] = {"type": "string", "minLength": 1}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


_AMOUNTS: Final = {**_object(cpu={"type": ["string", "number"]}, memory=_TEXT), "required": ["cpu", "memory"]}
# limits as well: a pod without them can take all that its node has
_RESOURCES: Final = {**_object(requests=_AMOUNTS, limits=_AMOUNTS), "required": ["requests", "limits"]}
_SCALING: Final = _object(enabled=_FLAG, min=_POSITIVE, max=_POSITIVE, target=_POSITIVE)
_SECRET: Final = _object(name=_TEXT, key=_HOST)
_TLS: Final = _object(name=_TEXT, ca=_TEXT, cert=_TEXT, key=_TEXT)
_HOSTS: Final = _object(gateway=_HOST, ingest=_HOST, console=_HOST)
_SERVER: Final = _object(
    to=_LIST, ports={"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1, "maximum": 65_535}}
)


def _component(**more: Schema) -> Schema:
    return _object(replicas=_COUNT, resources=_RESOURCES, **more)


def schema() -> Schema:
    """Return the schema of all values."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart clarion",
        **_object(
            **{"global": _ANY},
            image=_object(
                repository=_HOST,
                tag=_TEXT,
                digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
                pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
                pullSecrets=_TEXTS,
            ),
            nameOverride=_TEXT,
            fullnameOverride=_TEXT,
            settings=_object(**_settings()),
            secrets=_object(
                mongodb=_SECRET, mongodbTls=_TLS, kafka=_SECRET, kafkaTls=_TLS, perRole=_FLAG, jwtSecret=_SECRET
            ),
            extraEnv=_LIST,
            extraEnvFrom=_LIST,
            pod=_object(
                annotations=_LABELS,
                labels=_LABELS,
                nodeSelector=_LABELS,
                tolerations=_LIST,
                affinity=_ANY,
                priorityClassName=_TEXT,
                runAsUser=_POSITIVE,
                spreadOver=_TEXTS,
                preStopSeconds=_COUNT,
            ),
            ingest=_component(autoscaling=_SCALING),
            lanes=_object(**{str(lane): _component(autoscaling=_SCALING) for lane in LANES}),
            receipts=_component(),
            scheduler=_component(),
            observer=_component(),
            gateway=_component(autoscaling=_SCALING),
            console=_component(enabled=_FLAG),
            autoscaling=_object(by={"enum": ["hpa", "keda"]}, prometheus=_TEXT),
            service=_object(type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, annotations=_LABELS),
            ingress=_object(enabled=_FLAG, className=_TEXT, annotations=_LABELS, hosts=_HOSTS, tls=_LIST),
            httpRoute=_object(enabled=_FLAG, parentRefs=_LIST, hosts=_HOSTS),
            networkPolicy=_object(
                enabled=_FLAG, clients=_LIST, monitoring=_LIST, kafka=_SERVER, mongodb=_SERVER, egress=_LIST
            ),
            monitoring=_object(
                labels=_LABELS,
                podMonitor=_object(enabled=_FLAG, interval=_HOST),
                prometheusRule=_object(enabled=_FLAG),
                dashboards=_object(enabled=_FLAG, label=_LABELS),
                runbook=_HOST,
            ),
            topics=_object(enabled=_FLAG, resources=_RESOURCES),
        ),
    }


def _settings() -> Mapping[str, Schema]:
    """Return the schema of each setting that a deployment may set, as the processes check it."""
    (told,) = msgspec.json.schema_components([Settings])[1].values()
    return {name: _readable(of) for name, of in told["properties"].items() if name not in OWN | SECRET}


def _readable(of: Schema) -> Schema:
    """Return a property without its default, and with a pattern that Helm's regular expressions (RE2) know."""
    made = {key: value for key, value in of.items() if key != "default"}
    if "pattern" in made:
        made["pattern"] = made["pattern"].replace(END, "$")
    return made
