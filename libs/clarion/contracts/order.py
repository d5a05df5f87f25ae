"""`ord`: where a notification stands in its lane, per recipient: (topic generation, first offset in the partition).

In JSON it is `[generation, offset]`, in BSON and in memory one integer, `generation << 48 | offset`, which sorts alike.
"""

from typing import Annotated, Final

from msgspec import Meta

_OFFSET_BITS: Final = 48
Ordinal = Annotated[int, Meta(ge=0, lt=1 << _OFFSET_BITS)]
Generation = Annotated[int, Meta(ge=0, lt=1 << 15)]
JsonOrder = tuple[Generation, Ordinal]
MAX_ORD: Final = (1 << 63) - 1


def pack(generation: int, offset: int) -> int:
    return generation << _OFFSET_BITS | offset


def unpack(order: int) -> tuple[int, int]:
    return divmod(order, 1 << _OFFSET_BITS)
