"""Items → batch frames. The items are joined once; what differs between connections, the tag, is put around them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final

from clarion.contracts.limits import FRAME_BYTES, ITEMS_PER_RECORD
from clarion.contracts.times import rfc3339
from services.gateway.client.credit import OutgoingItem

_body: Final = attrgetter("body")
_ITEMS_BYTES: Final = FRAME_BYTES - 128  # `op`, `tag` and `since` are around them


def split(items: Sequence[OutgoingItem]) -> Iterator[Sequence[OutgoingItem]]:
    """Runs of at most ITEMS_PER_RECORD items, each in a frame of at most FRAME_BYTES. No item is larger than that."""
    start = size = 0
    for end, item in enumerate(items):
        if end > start and (end - start == ITEMS_PER_RECORD or size + len(item.body) > _ITEMS_BYTES):
            yield items[start:end]
            start, size = end, 0
        size += len(item.body) + 1
    if start < len(items):
        yield items[start:]


def join(items: Sequence[OutgoingItem]) -> bytes:
    return b",".join(map(_body, items))


def batch_frame(tag: int, joined: bytes, since: datetime) -> bytes:
    return b'{"op":"batch","tag":%d,"items":[%b],"since":"%b"}' % (tag, joined, _encoded(since))


@lru_cache(1024)
def _encoded(since: datetime) -> bytes:
    """The same moment for all who are live; those who came in the last seconds have one each."""
    return rfc3339(since).encode()
