"""What producers of other families send, on a real broker: every codec, and batches that nobody can read."""

import asyncio
import json
import struct
from pathlib import Path

from aiokafka.record.util import calc_crc32c

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.partitioner import partition_of
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.limits import UNPACKED_BYTES
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Control, Delivery
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from deploy.local.stack import Stack
from tests.conftest import until
from tests.integration.stream.engine.lane_processes import (
    USER,
    WITHIN_S,
    lane_process,
    mailbox_of,
    notifications_of,
    produce,
)
from tests.observing import reading

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def segment(stack: Stack, partition: Partition) -> Path:
    folder = stack.folder.path / "kafka" / "data" / f"{partition.topic}-{partition.number}"
    return next(iter(folder.glob("*.log")))


def damage(log: Path, needle: bytes, *, codec: int | None = None) -> None:
    """Change the batch that has `needle` in it where the broker keeps it: its codec, else one byte of its payload."""
    held = bytearray(log.read_bytes())
    at, found = 0, held.index(needle)
    while (end := at + 12 + struct.unpack_from(">i", held, at + 8)[0]) <= found:
        at = end
    if codec is None:
        held[found] ^= 0xFF
    else:
        held[at + 22] = codec
        struct.pack_into(">I", held, at + 17, calc_crc32c(bytes(held[at + 21 : end])))
    with log.open("r+b") as file:
        file.seek(at)
        file.write(held[at:end])


async def test_an_unreadable_record_costs_one_dead_letter(stack: Stack, settings: Settings) -> None:
    names = Names(settings.prefix)
    partition = Partition(names.notifications(Lane.NORMAL), partition_of(USER, settings.partitions_lane))
    sent: list[str] = []

    def send(codec: str) -> None:
        messages = [f"{codec} {number} {len(sent)}" for number in range(5)]
        sent.extend(messages)
        produce(settings, *partition, notifications_of(messages), codec)

    for codec in CODECS:
        await asyncio.to_thread(send, codec)
    await asyncio.to_thread(produce, settings, *partition, [bytes(UNPACKED_BYTES + 1)], "zstd")
    for needle in (b"a codec of tomorrow", b"a byte that changed"):
        await asyncio.to_thread(produce, settings, *partition, notifications_of([needle.decode(), "beside it"]))
        damage(segment(stack, partition), needle, codec=6 if b"codec" in needle else None)
        await asyncio.to_thread(send, "none")
    connection = database.connect(settings)
    documents = notifications.collection(connection)
    async with lane_process(settings):

        async def all_stored() -> bool:
            return await documents.count_documents({}) == len(sent)

        await until(all_stored, WITHIN_S)
        found = await documents.find({}).sort("ord", 1).to_list(None)
        assert [json.loads(one["body"])["message"] for one in found] == sent
        async with reading(settings, names.dead_letters) as consumer, asyncio.timeout(20):
            letters = [dict((await consumer.getone()).headers) for _ in range(3)]
    letters.sort(key=lambda letter: int(letter["offset"]))  # each may be in a partition of its own
    assert [letter["reason"] for letter in letters] == [b"unreadable"] * 3
    assert letters[0]["error"].startswith(b"offsets 25 to 25 cannot be read: the batch unpacks to more than")
    assert letters[1]["error"] == b"offsets 26 to 27 cannot be read: the batch's codec is unknown (codec: number 6)"
    assert letters[2]["error"] == b"offsets 33 to 34 cannot be read: the batch's checksum is wrong"
    assert [letter["offset"] for letter in letters] == [b"25", b"26", b"33"]
    database.close(connection)


async def test_after_an_unreadable_record_all_users_read_the_store(settings: Settings) -> None:
    """Before what follows is handled: a cursor could pass what is lost."""
    topic = Names(settings.prefix).deliveries_bulk
    handled: list[Delivery] = []
    lost: list[int] = []
    first, second = Control("disconnect", "first"), Control("disconnect", "second")
    async with mailbox_of(settings, handled, lost) as mailbox:
        await asyncio.to_thread(produce, settings, topic, 0, [deliveries.encode(first)], "snappy")
        await until(lambda: _is(handled == [first]))
        for _ in range(20):
            await asyncio.to_thread(produce, settings, topic, 0, [bytes(UNPACKED_BYTES + 1)], "zstd")
        await asyncio.to_thread(produce, settings, topic, 0, [deliveries.encode(second)], "lz4")
        await until(lambda: _is(handled == [first, second]))
        before = times.now()
        await until(lambda: _is((mailbox.caught_up() or before) > before))
    assert lost
    assert set(lost) == {1}


async def _is(so: bool) -> bool:
    return so
