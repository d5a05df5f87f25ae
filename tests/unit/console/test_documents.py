"""Descriptions of other services are fetched within limits, kept for a while, and their absence is explained."""

import pytest

from clarion.settings import Settings
from clarion.web.problem_responses import Unavailable
from services.console import documents as module
from services.console.documents import Documents, Source, sources
from tests.unit.clarion.operating.answering import answering


def of(url: str) -> Documents:
    return Documents({"ingest": Source("ingest", "CLARION_INGEST_URL", url)})


async def test_a_document_is_fetched_once_and_kept() -> None:
    answers = {"/openapi.json": {"openapi": "3.1.0"}}
    async with answering(answers) as url:
        documents = of(f"{url}/openapi.json")
        first = await documents.get("ingest")
        answers.clear()
        assert await documents.get("ingest") == first == b'{"openapi": "3.1.0"}'
    assert await documents.get("other") is None


async def test_a_silent_service_is_named_with_its_setting() -> None:
    with pytest.raises(Unavailable, match=r"ingest does not describe itself at .*: see CLARION_INGEST_URL"):
        await of("http://127.0.0.1:9/openapi.json").get("ingest")


async def test_what_is_no_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering({"/a": "[1]", "/b": "no json", "/c": "1" * 2000}) as url:
        for path in "ab":
            with pytest.raises(Unavailable, match="does not describe itself"):
                await of(f"{url}/{path}").get("ingest")
        monkeypatch.setattr(module, "DOCUMENT_BYTES", 1000)
        with pytest.raises(Unavailable, match="more than 1000 bytes"):
            await of(f"{url}/c").get("ingest")


async def test_a_slow_service_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    async with answering({}) as url:
        with pytest.raises(Unavailable, match=r"no answer within 0\.05 s"):
            await of(f"{url}/never").get("ingest")


def test_the_first_gateway_describes_them_all() -> None:
    settings = Settings(ingest_url="http://i/", gateway_url="http://g1,http://g2")
    urls = {name: source.url for name, source in sources(settings).items()}
    assert urls == {
        "ingest": "http://i/openapi.json",
        "gateway": "http://g1/openapi.json",
        "client-protocol": "http://g1/asyncapi.json",
    }
