"""A step: something that may happen next, and its words for a trace."""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Step(NamedTuple):
    """`do` changes a copy of the world. `text` has the places of `args`. A `fault` need not happen."""

    text: str
    do: Callable[..., None]
    args: tuple[object, ...] = ()
    fault: str | None = None

    def __str__(self) -> str:
        return self.text.format(*self.args)


Steps = Iterator[Step]
