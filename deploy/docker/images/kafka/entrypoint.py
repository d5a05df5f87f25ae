"""Run Apache Kafka by the variables of the image apache/kafka: KAFKA_NODE_ID is `node.id`, and so on.

The storage is formatted when it is new. Then this process becomes Java, so that signals reach Kafka itself.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CONFIG: Final = Path("/tmp/server.properties")  # noqa: S108 - the container's own
CLUSTER_ID: Final = "5L6g3nShT-eMCtK--X86sw"
FORMAT_WITHIN_S: Final = 120
_CLASSPATH: Final = "/opt/kafka/libs/*"
# Variables of the start scripts, which are no settings of the broker.
_NO_SETTINGS: Final = frozenset(
    {
        "KAFKA_HEAP_OPTS",
        "KAFKA_JVM_PERFORMANCE_OPTS",
        "KAFKA_OPTS",
        "KAFKA_JMX_OPTS",
        "KAFKA_GC_LOG_OPTS",
        "KAFKA_LOG4J_OPTS",
        "KAFKA_VERSION",
    }
)


def properties(environ: Mapping[str, str]) -> str:
    """Return the broker's settings, a line each.

    A name's `_` is a dot, `__` an underscore and `___` a dash.
    """
    lines = [
        f"{_name(variable)}={value}"
        for variable, value in sorted(environ.items())
        if variable.startswith("KAFKA_") and variable not in _NO_SETTINGS
    ]
    return "".join(f"{line}\n" for line in lines)


def _name(variable: str) -> str:
    name = variable.removeprefix("KAFKA_").lower()
    return name.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")


def java(environ: Mapping[str, str]) -> list[str]:
    """Return the command that runs a class of Kafka, as long as the class and its arguments follow."""
    return [
        "java",
        *environ.get("KAFKA_HEAP_OPTS", "-Xmx512m").split(),
        *environ.get("KAFKA_JVM_PERFORMANCE_OPTS", "-XX:+UseSerialGC").split(),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
        *environ.get("KAFKA_OPTS", "").split(),
        "-cp",
        _CLASSPATH,  # Java itself finds the jars: no shell may do it
    ]


def main() -> None:
    """Write the settings, format new storage, and become Kafka."""
    CONFIG.write_text(properties(os.environ))
    command = java(os.environ)
    cluster = os.environ.get("CLUSTER_ID", CLUSTER_ID)
    formatting = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster, "-c", str(CONFIG)]
    done = subprocess.run([*command, *formatting], timeout=FORMAT_WITHIN_S, check=False)  # noqa: S603
    if done.returncode:
        sys.exit("Kafka's storage cannot be formatted: see above; a new broker needs an empty volume")
    os.execvp(command[0], [*command, "kafka.Kafka", str(CONFIG)])  # noqa: S606


if __name__ == "__main__":
    main()
