"""The route of batches: a line of the answer for each of the request."""

import msgspec

from clarion.contracts import limits
from tests.unit.ingest.fake_ingest import BATCH, Broker, client, is_problem


async def test_a_batch_answers_each_line() -> None:
    lines = [b'{"type":"a","message":"x","recipient":"r1"}', b"{", b"", b'{"type":"a","message":"x"}']
    headers = {"Content-Type": "application/x-ndjson"}
    async with client(broker := Broker()) as c:
        response = await c.post(BATCH, content=b"\n".join(lines), headers=headers)
        too_many = await c.post(BATCH, content=b"{}\n" * (limits.BATCH_LINES + 1), headers=headers)
        empty = await c.post(BATCH, content=b"", headers=headers)
    assert response.headers["content-type"] == "application/x-ndjson"
    found = [msgspec.json.decode(line) for line in response.content.splitlines()]
    assert [(line["line"], line["status"]) for line in found] == [(1, 202), (2, 400), (4, 422)]
    assert [n.recipient for n in broker.taken] == ["r1"]
    assert is_problem(too_many, 413)["errors"][0]["limit"] == limits.BATCH_LINES
    assert (empty.status_code, empty.content) == (200, b"")


async def test_lines_kafka_did_not_acknowledge_say_so() -> None:
    async with client(Broker(False)) as c:
        response = await c.post(
            BATCH,
            content=b'{"type":"a","message":"x","recipient":"r1"}\n{',
            headers={"Content-Type": "application/x-ndjson"},
        )
    lost, malformed = [msgspec.json.decode(line) for line in response.content.splitlines()]
    assert (lost["status"], malformed["status"]) == (503, 400)
    assert lost["retry_after"] == int(response.headers["retry-after"]) > 0
    assert "retry_after" not in malformed
