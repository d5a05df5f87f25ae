"""A bulk write of which one part can never be taken: that part is found, and all others are written. Pure."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from clarion.store.driver.failures import Unacceptable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """A part of a bulk write that failed; `is_repeat`: its `_id` was there already; `passing`: it may succeed later."""

    index: int
    error: str
    is_repeat: bool = False
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """`done` parts were tried, and all of them written but the `failures`; those after them were not looked at."""

    done: int
    failures: Sequence[WriteFailure] = ()


async def isolated(parts: Sequence[T], send: Callable[[Sequence[T]], Awaitable[Sent]]) -> list[WriteFailure]:
    """Send all `parts`, in order. Returns those that failed, by their places in `parts`.

    `send` raises `Unacceptable` when it can send nothing of what it was given, because of some part of it: then half as
    many are sent, down to the one that it is. Afterwards twice as many each time: a single bad part costs the others
    some more commands, and nothing else.
    """
    failures: list[WriteFailure] = []
    start, step = 0, len(parts)
    while start < len(parts):
        some = parts[start : start + step]
        try:
            sent = await send(some)
        except Unacceptable as error:
            if len(some) > 1:
                step = len(some) // 2
                continue
            sent = Sent(1, [WriteFailure(0, str(error))])
        failures += [replace(failure, index=start + failure.index) for failure in sent.failures]
        start += sent.done
        step = max(1, step // 2) if sent.done < len(some) else step if sent.failures else 2 * step
    return failures
