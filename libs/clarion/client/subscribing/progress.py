"""What a subscriber has received, handed out and handled; what it may acknowledge and where it would resume. Pure.

One queue in the order of arrival holds items and marks. A mark stands behind what it depends on, so that an
acknowledgement, a cursor or a `since` moves only once everything before it is handled (D-handled-first).
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

# Credit keeps a sane server far below this; more in the queue is a server that does not count.
MAX_QUEUED: Final = 10_000


class Overrun(Exception):
    """The server sent far more than it has credit for."""


@dataclass(slots=True)
class _Mark:
    """Reached when everything before it is handled. `tag` is None for what came with a ping."""

    tag: int | None
    since: str | None
    cursors: Mapping[Lane, JsonOrder] = field(default_factory=dict[Lane, JsonOrder])


class Progress:
    def __init__(self, position: Position, remembered: int = limits.REMEMBERED_IDS) -> None:
        self._cursors = dict(position.cursors)
        self._since = position.since
        self._user = position.user
        self._deployment = position.deployment
        self._queue: deque[Received | _Mark] = deque()
        self._handled: OrderedDict[str, None] = OrderedDict()
        self._remembered = remembered
        self._in_hand: Received | None = None
        self._tag: int | None = None
        self.repeats = 0  # what was dropped: handled before, or retracted

    @property
    def position(self) -> Position:
        return Position(dict(self._cursors), self._since, self._user, self._deployment)

    def belongs_to(self, user: str | None, deployment: str | None) -> bool:
        """Whose all of this is, as a server tells it; False when it was another's: then it begins again."""
        if user is None or deployment is None:  # a server of an earlier version
            return True
        is_same = self._deployment is None or (self._user, self._deployment) == (user, deployment)
        if not is_same:
            self._cursors, self._since = {}, None
        self._user, self._deployment = user, deployment
        return is_same

    def forget(self, lanes: Iterable[Lane]) -> None:
        """Their cursors are of lanes that are not there any more."""
        for lane in lanes:
            self._cursors.pop(lane, None)

    def connected(self) -> None:
        """A new connection: tags start again, and what was not handed out will be sent again."""
        self._queue.clear()
        self._tag = None

    def batch(self, tag: int, items: Iterable[Received], since: str | None) -> None:
        """Raises `Overrun`."""
        cursors: dict[Lane, JsonOrder] = {}
        for item in items:
            self._queue.append(item)
            if item.ord is not None:
                cursors[item.lane] = max(item.ord, cursors.get(item.lane, item.ord))
        self._queue.append(_Mark(tag, since, cursors))
        if len(self._queue) > MAX_QUEUED:
            raise Overrun(f"more than {MAX_QUEUED} items unhandled")

    def ping(self, since: str | None) -> None:
        if self._queue and isinstance(last := self._queue[-1], _Mark):
            last.since = since or last.since  # nothing came between: one mark does for both
        else:
            self._queue.append(_Mark(None, since))

    def handled(self) -> None:
        """What was taken last is handled."""
        if self._in_hand is not None:
            self._remember(self._in_hand.id)
            self._in_hand = None
        self._advance()

    def retracted(self, ids: Iterable[str]) -> None:
        """Hand out none of these any more: it may be told before they come, since lanes have topics of their own."""
        for id_ in ids:
            self._remember(id_)

    def take(self) -> Received | None:
        """The next item to handle, after `handled`; None when there is none, or when `handled` has to look first."""
        head = self._queue[0] if self._queue else None
        if not isinstance(head, Received) or head.id in self._handled:
            return None
        self._queue.popleft()
        self._in_hand = head
        return head

    def to_acknowledge(self) -> int | None:
        """The highest tag that may be acknowledged now; each is told once."""
        tag, self._tag = self._tag, None
        return tag

    def _advance(self) -> None:
        """Pass over marks and repeats, up to the next item to hand out.

        Repeats are told here and not on arrival: one may repeat what is in hand just now, and is handled only with it.
        """
        while self._queue:
            head = self._queue[0]
            if isinstance(head, _Mark):
                self._reach(head)
            elif head.id in self._handled:
                self.repeats += 1
                self._remember(head.id)
            else:
                return
            self._queue.popleft()

    def _reach(self, mark: _Mark) -> None:
        self._tag = mark.tag or self._tag
        self._since = mark.since or self._since
        for lane, order in mark.cursors.items():
            self._cursors[lane] = max(order, self._cursors.get(lane, order))

    def _remember(self, id_: str) -> None:
        self._handled[id_] = None
        self._handled.move_to_end(id_)
        if len(self._handled) > self._remembered:
            self._handled.popitem(last=False)
