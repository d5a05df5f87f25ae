"""What a subscriber has received, handed out and handled; what it may acknowledge, and where it would resume. Pure.

One queue holds, in the order of arrival, items and barriers. A barrier stands behind the items that it depends on, so
that an acknowledgement, a cursor or a `since` moves only once everything before it is handled (D-handled-first).
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from clarion.client.subscribing.cursor_store import Position
from clarion.contracts import limits
from clarion.contracts.api.frames import Received
from clarion.contracts.lanes import Lane
from clarion.contracts.order import JsonOrder

# Credit keeps a sane server far below this limit; with more in the queue, the server does not count credit.
MAX_QUEUED: Final = 10_000


class Overrun(Exception):
    """The server has sent far more than it has credit for."""


@dataclass(slots=True)
class _Barrier:
    """Stands in the queue, and is reached once everything before it is handled. The barrier of a ping has no `tag`."""

    tag: int | None
    since: str | None
    cursors: Mapping[Lane, JsonOrder] = field(default_factory=dict[Lane, JsonOrder])


class Progress:
    """How far one subscriber has come, over all of its connections.

    It remembers the ids of the last `remembered` handled items; `repeats` counts the items that were dropped.
    """

    def __init__(self, position: Position, remembered: int = limits.REMEMBERED_IDS) -> None:
        self._cursors = dict(position.cursors)
        self._since = position.since
        self._user = position.user
        self._deployment = position.deployment
        self._queue: deque[Received | _Barrier] = deque()
        self._handled: OrderedDict[str, None] = OrderedDict()
        self._remembered = remembered
        self._in_hand: Received | None = None
        self._tag: int | None = None
        self.repeats = 0  # items that were dropped: handled before, or retracted

    @property
    def position(self) -> Position:
        """Return the position at which the next connection, or the next process, resumes."""
        return Position(dict(self._cursors), self._since, self._user, self._deployment)

    def belongs_to(self, user: str | None, deployment: str | None) -> bool:
        """Note the owner of the position, as a server tells it in `hello`.

        Return False when the position was another's; it is then emptied, so that the subscriber begins again.
        """
        if user is None or deployment is None:  # a server of an earlier version
            return True
        is_same = self._deployment is None or (self._user, self._deployment) == (user, deployment)
        if not is_same:
            self._cursors, self._since = {}, None
        self._user, self._deployment = user, deployment
        return is_same

    def forget(self, lanes: Iterable[Lane]) -> None:
        """Drop the cursors of these lanes, whose orders do not exist any more."""
        for lane in lanes:
            self._cursors.pop(lane, None)

    def connected(self) -> None:
        """Begin a new connection: its tags start again, and what was not handed out is sent again."""
        self._queue.clear()
        self._tag = None

    def batch(self, tag: int, items: Iterable[Received], since: str | None) -> None:
        """Queue the items of a batch, and behind them its tag, its `since` and their cursors. Raise `Overrun`."""
        cursors: dict[Lane, JsonOrder] = {}
        for item in items:
            self._queue.append(item)
            if item.ord is not None:
                cursors[item.lane] = max(item.ord, cursors.get(item.lane, item.ord))
        self._queue.append(_Barrier(tag, since, cursors))
        if len(self._queue) > MAX_QUEUED:
            raise Overrun(
                f"the server sent more than {MAX_QUEUED} items that are not handled yet, which no gateway does"
            )

    def ping(self, since: str | None) -> None:
        """Queue the `since` of a ping, which counts once everything before it is handled."""
        if self._queue and isinstance(last := self._queue[-1], _Barrier):
            last.since = since or last.since  # no item came between, so one barrier serves both
        else:
            self._queue.append(_Barrier(None, since))

    def handled(self) -> None:
        """Count the item that was taken last as handled."""
        if self._in_hand is not None:
            self._remember(self._in_hand.id)
            self._in_hand = None
        self._advance()

    def retracted(self, ids: Iterable[str]) -> None:
        """Hand out none of these any more. A retraction may come before its item, as lanes have topics of their own."""
        for id_ in ids:
            self._remember(id_)

    def take(self) -> Received | None:
        """Return the next item to handle, to be called after `handled`.

        None means that there is no item, or that a barrier or a repeat is next, which `handled` passes over.
        """
        head = self._queue[0] if self._queue else None
        if not isinstance(head, Received) or head.id in self._handled:
            return None
        self._queue.popleft()
        self._in_hand = head
        return head

    def to_acknowledge(self) -> int | None:
        """Return the highest tag that may be acknowledged now, each only once, or None."""
        tag, self._tag = self._tag, None
        return tag

    def _advance(self) -> None:
        """Pass over barriers and repeats, up to the next item to hand out.

        Repeats are found here and not on arrival: one may repeat the item that the application is just handling, and is
        handled only once that one is.
        """
        while self._queue:
            head = self._queue[0]
            if isinstance(head, _Barrier):
                self._reach(head)
            elif head.id in self._handled:
                self.repeats += 1
                self._remember(head.id)
            else:
                return
            self._queue.popleft()

    def _reach(self, barrier: _Barrier) -> None:
        self._tag = barrier.tag or self._tag
        self._since = barrier.since or self._since
        for lane, order in barrier.cursors.items():
            self._cursors[lane] = max(order, self._cursors.get(lane, order))

    def _remember(self, id_: str) -> None:
        self._handled[id_] = None
        self._handled.move_to_end(id_)
        if len(self._handled) > self._remembered:
            self._handled.popitem(last=False)
