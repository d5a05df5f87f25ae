"""`ord`, a notification's place among those of its recipient and lane.

It has the generation of the topic, and the offset of the notification's first record in the partition. In JSON that is
`[generation, offset]`; in BSON and in memory it is one integer, `generation << 48 | offset`, which sorts alike.
"""

from typing import Annotated, Final

from msgspec import Meta

_OFFSET_BITS: Final = 48
_OFFSETS: Final = (1 << _OFFSET_BITS) - 1
Ordinal = Annotated[int, Meta(ge=0, lt=1 << _OFFSET_BITS)]
Generation = Annotated[int, Meta(ge=0, lt=1 << 15)]
JsonOrder = tuple[Generation, Ordinal]
MAX_ORD: Final = (1 << 63) - 1


def pack(generation: int, offset: int) -> int:
    """Return an `ord` as one integer."""
    return generation << _OFFSET_BITS | offset


def unpack(order: int) -> tuple[int, int]:
    """Return generation and offset of an `ord`."""
    return order >> _OFFSET_BITS, order & _OFFSETS
