"""Asking how far groups are behind makes no topic that is missing."""

from typing import Any

from aiokafka.protocol.metadata import MetadataRequest_v5

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.lag.group_lags import GroupLags
from clarion.settings import Settings


class Answer:
    def to_object(self) -> dict[str, Any]:
        missing: dict[str, Any] = {"topic": "gone", "error_code": 3, "partitions": []}
        return {"topics": [{"topic": "t", "error_code": 0, "partitions": [{}, {}]}, missing]}


class Client:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.watched: list[str] = []

    def get_random_node(self) -> int:
        return 1

    async def send(self, _: int, request: Any) -> Answer:
        self.asked.append(request.build(MetadataRequest_v5))
        return Answer()

    async def set_topics(self, topics: list[str]) -> None:
        self.watched += topics


class Consumer:
    def __init__(self) -> None:
        self._client = Client()


async def test_a_missing_topic_is_neither_made_nor_watched() -> None:
    consumer: Any = Consumer()
    lags = GroupLags(Settings(env="dev"), consumer)
    assert await lags.partitions({"a": "t", "b": "gone"}) == [Partition("t", 0), Partition("t", 1)]
    (request,) = consumer._client.asked
    assert (request.topics, request.allow_auto_topic_creation) == (["t", "gone"], False)
    assert consumer._client.watched == ["t"]
