"""Whatever a batch has in it, its partition goes on, and its neighbours are read."""

import gzip
import random
import struct
from typing import Any

import cramjam
import pytest
from aiokafka.codec import snappy_encode
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from clarion.broker.consuming.guarded_records import GuardedRecords, Unreadable
from clarion.broker.consuming.unpacking import CannotUnpack, Header, unpacked
from clarion.contracts.limits import UNPACKED_BYTES
from tests.unit.clarion.broker.consuming.batches import batch, packed, read, resealed

GZIP, SNAPPY, LZ4, ZSTD, UNKNOWN = 1, 2, 3, 4, 6
CODECS = (0, GZIP, SNAPPY, LZ4, ZSTD)
BOMB = bytes(UNPACKED_BYTES + 1)
TOO_LARGE = f"the batch unpacks to more than {UNPACKED_BYTES} bytes: send smaller batches "
codecs: Any = cramjam


@pytest.fixture(autouse=True)
def _no_suspects() -> None:
    GuardedRecords._suspects.clear()


def values(read_: Any) -> list[bytes | str]:
    return [one.error if isinstance(one, Unreadable) else one.value for one in read_]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_read(codec: int) -> None:
    reading = read(batch([b"a", b"b"], 5, codec=codec), batch([b"c"], 7), at=6)
    assert values(reading) == [b"b", b"c"]
    assert reading.next_fetch_offset == 8


def test_snappy_is_read_in_both_framings() -> None:
    plain = batch([b"a", b"b"])[61:]
    assert values(read(packed(bytes(codecs.snappy.compress_raw(plain)), SNAPPY, 2))) == [b"a", b"b"]
    assert values(read(packed(snappy_encode(plain, xerial_blocksize=7), SNAPPY, 2))) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("payload", "codec", "why"),
    [
        (b"?", UNKNOWN, "the batch's codec is unknown (codec: number 6)"),
        (b"not gzip", GZIP, "Error -3 while decompressing data: incorrect header check (codec: gzip)"),
        (gzip.compress(b"cut off", mtime=0)[:-9], GZIP, "the gzip stream is cut off (codec: gzip)"),
        (b"\x82SNAPPY\x00" + bytes(8) + struct.pack(">i", 99), SNAPPY, "a snappy block is cut off (codec: snappy)"),
        (b"not lz4!", LZ4, "(codec: lz4)"),
        (b"not zstd", ZSTD, "(codec: zstd)"),
        (gzip.compress(BOMB, mtime=0), GZIP, TOO_LARGE + "(codec: gzip)"),
        (bytes(codecs.snappy.compress_raw(BOMB)), SNAPPY, TOO_LARGE + "(codec: snappy)"),
        (bytes(codecs.lz4.compress(BOMB)), LZ4, TOO_LARGE + "(codec: lz4)"),
        (bytes(codecs.zstd.compress(BOMB)), ZSTD, TOO_LARGE + "(codec: zstd)"),
    ],
)
def test_a_batch_that_cannot_be_unpacked_is_told_in_one_piece(payload: bytes, codec: int, why: str) -> None:
    bad = packed(payload, codec, 3, first=11)
    before, lost, after = read(batch([b"before"], 10), bad, batch([b"after"], 14), at=10)
    assert (before.value, after.value) == (b"before", b"after")
    assert (lost.offset, lost.last, lost.value) == (11, 13, bad)
    assert lost.error.endswith(why)


def test_the_largest_batch_is_unpacked() -> None:
    plain = memoryview(batch([bytes(UNPACKED_BYTES - 100)])[61:])
    for pack, codec in ((codecs.zstd.compress, ZSTD), (codecs.lz4.compress, LZ4), (gzip.compress, GZIP)):
        whole = memoryview(packed(bytes(pack(plain)), codec, 1))
        assert unpacked(whole, Header.of(whole))[61:] == plain


def test_a_wrong_checksum_is_believed_at_the_second_reading() -> None:
    bad = bytearray(batch([b"x", b"y"], 1))
    bad[-3] ^= 0xFF
    parts = (batch([b"before"]), bytes(bad), batch([b"after"], 3))
    first = read(*parts)
    assert values(first) == [b"before"]
    assert first.next_fetch_offset == 1
    again = read(*parts[1:], at=1)
    assert values(again) == ["the batch's checksum is wrong", b"after"]


def test_a_damaged_header_passes_over_nothing_that_can_be_read() -> None:
    bad = bytearray(batch([b"x"], 1))
    struct.pack_into(">i", bad, 23, 1 << 29)  # the last offset's delta
    for parts, ends in (((bytes(bad), batch([b"after"], 2)), 3), ((bytes(bad),), 2)):
        assert values(read(*parts, at=1)) == []
        reading = read(*parts, at=1)
        list(reading)
        assert reading.next_fetch_offset == ends


def test_a_malformed_record_costs_none_of_its_batch() -> None:
    for codec in CODECS:
        plain = bytearray(batch([b"one", b"two", b"three"], 5, headers=[("name", b"")]))
        plain[plain.index(b"two") - 1] = 0x7F  # the value is said to be longer than the record
        payload = bytes(plain[61:])
        pack = {0: bytes, GZIP: gzip.compress, SNAPPY: codecs.snappy.compress_raw, LZ4: codecs.lz4.compress}
        bad = packed(bytes(pack.get(codec, codecs.zstd.compress)(payload)), codec, 3, first=5)
        one, two, three = read(bad, at=5)
        assert (one.value, three.value) == (b"one", b"three")
        assert (two.offset, two.last) == (6, 6)
        assert "malformed" in two.error
        assert b"two" in two.value


def test_a_header_that_is_not_utf8_is_no_fault() -> None:
    bad = bytearray(batch([b"one", b"two"], headers=[("name", b"\xff")]))
    bad[bad.index(b"name")] = 0xFF
    one, two = read(resealed(bad))
    assert (one.value, one.headers) == (b"one", (("\\xffame", b"\xff"),))
    assert (two.value, two.offset, two.headers) == (b"two", 1, (("name", b"\xff"),))


def test_records_damaged_at_random_stay_within_their_batch() -> None:
    chance = random.Random(24)
    for _ in range(3_000):
        codec = chance.choice(CODECS)
        bad = bytearray(batch([bytes([n]) * chance.randrange(40) for n in range(4)], 10, codec=codec))
        for _ in range(chance.randrange(1, 4)):
            bad[chance.randrange(61, len(bad))] = chance.randrange(256)
        told = list(read(resealed(bad), batch([b"after"], 14), at=10))
        offsets = [one.offset for one in told]
        assert offsets == sorted(set(offsets))
        assert told[-1].value == b"after"
        assert all(10 <= one.offset <= getattr(one, "last", one.offset) < 14 for one in told[:-1])


def test_messages_of_before_kafka_011_are_read_unless_compressed() -> None:
    def message(codec: int) -> bytes:
        builder: Any = LegacyRecordBatchBuilder(1, codec, 1 << 20)
        builder.append(0, 1_000, b"ann", b"old")
        return bytes(builder.build())

    assert values(read(message(0), batch([b"after"], 1))) == [b"old", b"after"]
    assert values(read(message(GZIP), batch([b"after"], 1))) == [
        "the message is compressed in a format from before Kafka 0.11, which is not read",
        b"after",
    ]
    unknown = bytearray(batch([b"x"]))
    unknown[16] = 3
    assert values(read(bytes(unknown), batch([b"after"], 1))) == ["the message format is unknown", b"after"]


def test_a_fetch_unpacks_up_to_a_bound_and_the_rest_comes_later() -> None:
    big = packed(bytes(codecs.zstd.compress(batch([bytes(UNPACKED_BYTES // 2)])[61:])), ZSTD, 1)
    parts: list[bytes] = []
    for n in range(4):
        part = bytearray(big)
        struct.pack_into(">q", part, 0, n)
        parts.append(bytes(part))
    reading = read(*parts)
    assert len(list(reading)) == 2
    assert reading.next_fetch_offset == 2


def test_aborted_transactions_and_markers_are_passed_over() -> None:
    def marker(first: int, producer: int, kind: int) -> bytes:
        built = bytearray(batch([b"\x00" * 6], first, producer=producer, transactional=True))
        at = built.index(b"ann")
        key = struct.pack(">hh", 0, kind)
        built[at - 1] = len(key) << 1
        built[at : at + 3] = key
        built[61] += 2  # the record is a byte longer
        built[22] |= 0x20
        return resealed(built)

    parts = (
        batch([b"aborted"], 0, producer=7, transactional=True),
        batch([b"plain"], 1),
        batch([b"committed"], 2, producer=8, transactional=True),
        marker(3, 7, 0),
        batch([b"later"], 4, producer=7, transactional=True),
        marker(5, 8, 1),
        marker(6, 7, 1),
    )
    reading = read(*parts, aborted=[(7, 0)])
    assert values(reading) == [b"plain", b"committed", b"later"]
    assert reading.next_fetch_offset == 7


def test_an_unknown_codec_is_no_codec() -> None:
    whole = memoryview(packed(b"", 7, 1))
    with pytest.raises(CannotUnpack, match="unknown"):
        unpacked(whole, Header.of(whole))
