"""Makes `batch` frames of items.

The encoded items are joined once; what differs between connections, such as the tag, is put around them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final

from clarion.contracts.limits import FRAME_BYTES, ITEMS_PER_RECORD
from clarion.contracts.times import rfc3339
from services.gateway.client.credit import OutgoingItem

_body: Final = attrgetter("body")
_ITEMS_BYTES: Final = FRAME_BYTES - 128  # room for `op`, `tag` and `since` around them


def split(items: Sequence[OutgoingItem]) -> Iterator[Sequence[OutgoingItem]]:
    """Split items into runs, each for one frame: at most ITEMS_PER_RECORD items and FRAME_BYTES.

    No single item is larger than a frame.
    """
    start = size = 0
    for end, item in enumerate(items):
        if end > start and (end - start == ITEMS_PER_RECORD or size + len(item.body) > _ITEMS_BYTES):
            yield items[start:end]
            start, size = end, 0
        size += len(item.body) + 1
    if start < len(items):
        yield items[start:]


def join(items: Sequence[OutgoingItem]) -> bytes:
    """Return the encoded items of one frame, separated by commas."""
    return items[0].body if len(items) == 1 else b",".join(map(_body, items))


def batch_frame(tag: int, joined: bytes, since: datetime) -> bytes:
    """Return a `batch` frame around what `join` returned."""
    return b'{"op":"batch","tag":%d,"items":[%b],"since":"%b"}' % (tag, joined, _encoded(since))


@lru_cache(1024)
def _encoded(since: datetime) -> bytes:
    """Return `since` as JSON has it.

    All live connections are told the same moment, and those that came in the last seconds one each: the cache saves
    most of the formatting.
    """
    return rfc3339(since).encode()
