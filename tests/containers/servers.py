"""Kafka of three brokers and MongoDB of three members, on the settings that production uses."""

from contextlib import suppress
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.servers import ports
from tests.containers.fleet import Fleet

BROKERS: Final[tuple[str, ...]] = ("kafka-1", "kafka-2", "kafka-3")
MEMBERS: Final[tuple[str, ...]] = ("mongodb-1", "mongodb-2", "mongodb-3")
CLUSTER: Final = "Y2xhcmlvbi1jb250YWluZQ"  # of all brokers: 16 bytes in base64
DISK_MIB: Final = 640  # of the first member, which a test fills


def kafka() -> str:
    """What clients inside the network are told."""
    return ",".join(f"{name}:9092" for name in BROKERS)


def mongodb() -> str:
    return f"mongodb://{','.join(f'{name}:27017' for name in MEMBERS)}/?replicaSet=rs0"


def start_kafka(fleet: Fleet, image: str) -> None:
    for number, name in enumerate(BROKERS, 1):
        fleet.start(name, image, env=_broker(number, name), mem_limit="1g")


def _broker(number: int, name: str) -> dict[str, str]:
    return {
        "CLUSTER_ID": CLUSTER,
        "KAFKA_NODE_ID": str(number),
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://0.0.0.0:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{name}:9092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": ",".join(f"{n}@{broker}:9093" for n, broker in enumerate(BROKERS, 1)),
        "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_MESSAGE_MAX_BYTES": "1200000",
        "KAFKA_DEFAULT_REPLICATION_FACTOR": "3",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "3",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "6",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "3",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "2",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "6",
        "KAFKA_TRANSACTION_MAX_TIMEOUT_MS": "60000",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_NUM_IO_THREADS": "2",
        "KAFKA_NUM_NETWORK_THREADS": "2",
        "KAFKA_HEAP_OPTS": "-Xmx320m",
        "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    }


class Mongo:
    """The replica set, and the way to each of its members."""

    def __init__(self, fleet: Fleet, image: str, holder: str) -> None:
        self._fleet = fleet
        self._image = image
        self._holder = holder
        self._ports: dict[str, int] = ports.choose(dict.fromkeys(MEMBERS, 0), {})

    def start(self) -> None:
        self._fleet.add_disk(DISK_MIB)
        # keeps the disk while its mongod is down, and fills it
        self._fleet.start("disk", self._holder, ["infinity"], env={}, entrypoint=["sleep"], user="0", disk="/disk")
        for name in MEMBERS:
            command = ["mongod", "--replSet", "rs0", "--bind_ip_all", "--wiredTigerCacheSizeGB", "0.25"]
            command += ["--setParameter", "internalInsertMaxBatchSize=64"]
            disk = "/data/db" if name == MEMBERS[0] else ""
            published = {27017: self._ports[name]}
            self._fleet.start(name, self._image, command, env={}, ports=published, disk=disk, mem_limit="1g")

    def ask(self, member: str, *command: Any, **options: Any) -> dict[str, Any]:
        """Run an administrator's command at one member."""
        client: MongoClient[dict[str, Any]] = MongoClient(
            "127.0.0.1",
            self._ports[member],
            directConnection=True,
            serverSelectionTimeoutMS=1_000,
            socketTimeoutMS=20_000,
        )
        with client:
            return dict(client.admin.command(*command, **options))

    def primary(self) -> str:
        """The name of the member that takes writes, as it says itself; empty while none does.

        What others say of it may be some seconds old, after which a test would kill the wrong one.
        """
        for member in MEMBERS:
            with suppress(PyMongoError):  # a member that is down says nothing
                if self.ask(member, "hello")["isWritablePrimary"]:
                    return member
        return ""
