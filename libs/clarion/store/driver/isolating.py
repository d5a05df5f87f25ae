"""Bulk writes of which a part can never be taken: find that part, and write all others. Pure."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from clarion.store.driver.failures import Unacceptable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """A part of a bulk write that failed.

    `is_repeat`: its `_id` was there already. `passing`: it may succeed when it is tried again.
    """

    index: int
    error: str
    is_repeat: bool = False
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the parts that were sent.

    The first `done` were tried, and all of them were written but the `failures`. Those after them were not tried.
    """

    done: int
    failures: Sequence[WriteFailure] = ()


async def isolated(parts: Sequence[T], send: Callable[[Sequence[T]], Awaitable[Sent]]) -> list[WriteFailure]:
    """Send all `parts`, in order; return those that failed, with their indexes in `parts`.

    `send` raises `Unacceptable` when some part keeps it from sending any of those that it was given. Then half as many
    are sent, and so on down to the one at fault. Afterwards the number doubles each time, so that a single bad part
    costs the others some more commands and nothing else.
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
