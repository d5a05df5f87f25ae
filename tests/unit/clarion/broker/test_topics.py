from typing import Any

import pytest
from aiokafka.protocol.metadata import MetadataRequest_v5

from clarion.broker import clients, topics
from clarion.settings import Settings


class Answer:
    def __init__(self, names: list[str], code: int) -> None:
        self.topic_errors = [(name, 0, None) for name in names]
        self._topics = [{"topic": name, "error_code": code, "partitions": []} for name in names]

    def to_object(self) -> dict[str, Any]:
        return {"topics": self._topics}


class Admin:
    """Keeps what it is asked. Its broker knows the topics that are made when it is asked for the third time."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def create_topics(self, made: list[Any]) -> Answer:
        return Answer([topic.name for topic in made], 0)

    async def _send_request(self, request: Any) -> Answer:
        self.asked.append(request.build(MetadataRequest_v5))
        return Answer(self.asked[-1].topics, 3 if len(self.asked) < 3 else 0)


async def test_asking_for_a_topic_that_is_missing_makes_none() -> None:
    admin: Any = Admin()
    (described,) = await topics.describe(admin, ["t"])
    assert described["error_code"]
    (request,) = admin.asked
    assert (request.topics, request.allow_auto_topic_creation) == (["t"], False)


async def test_topics_that_are_applied_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `clarion topics apply` says of what it has just made that it is missing."""
    admin = Admin()

    def made(_: Settings) -> Admin:
        return admin

    monkeypatch.setattr(clients, "admin", made)
    created = await topics.apply(Settings(env="dev"))
    assert [request.topics for request in admin.asked] == [created] * 3
