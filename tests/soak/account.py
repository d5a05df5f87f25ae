"""What one user's device is owed and was handed: what is lost, doubled or out of order. Pure.

It forgets what is settled, so that a soak of hours needs no more memory than one of minutes.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from clarion.client import Lane
from clarion.contracts.limits import REMEMBERED_IDS


class Kind(Enum):
    """What is published."""

    PLAIN = auto()
    SCHEDULED = auto()  # due some seconds later
    COLLAPSING = auto()  # one replaces another
    RETRACTED = auto()  # taken back at once
    EXPIRING = auto()  # of no use some seconds later

    @property
    def must_come(self) -> bool:
        """Whether the device is handed it whatever happens. The others may be gone before it is there."""
        return self in (Kind.PLAIN, Kind.SCHEDULED)


@dataclass(slots=True)
class Account:
    """The account of one user, who has one device."""

    user: str
    is_read_elsewhere: bool = False  # another device reads the inbox: what it read first need not come any more
    accepted: int = 0
    handed: int = 0
    early: int = 0  # went live before they were stored; they come again by design when the device has been away
    doubled: list[str] = field(default_factory=list[str])
    out_of_order: list[str] = field(default_factory=list[str])
    foreign: list[str] = field(default_factory=list[str])
    _owed: set[str] = field(default_factory=set[str])
    _may_come: set[str] = field(default_factory=set[str])
    _unknown: set[str] = field(default_factory=set[str])  # handed before the answer to the publisher told their id
    _recent: "OrderedDict[str, bool]" = field(default_factory=OrderedDict[str, bool])  # whether it was stored
    _highest: dict[Lane, tuple[int, int]] = field(default_factory=dict[Lane, tuple[int, int]])

    def published(self, id_: str, *, must_come: bool) -> None:
        """Note what was accepted for the user."""
        self.accepted += 1
        if id_ in self._unknown:
            self._unknown.remove(id_)
        else:
            (self._owed if must_come and not self.is_read_elsewhere else self._may_come).add(id_)

    def received(self, id_: str, message: str, lane: Lane, ord_: tuple[int, int] | None) -> None:
        """Note what the device was handed. `ord_` is None for what went live before it was stored."""
        self.handed += 1
        self.early += ord_ is None
        if message != text(self.user):
            self.foreign.append(id_)
        if id_ in self._recent:
            if self._recent[id_]:
                self.doubled.append(id_)
        elif id_ in self._owed:
            self._owed.remove(id_)
        elif id_ in self._may_come:
            self._may_come.remove(id_)
        else:
            self._unknown.add(id_)
        self._remember(id_, is_stored=ord_ is not None)
        if ord_ is not None:
            if ord_ <= self._highest.get(lane, (-1, -1)):
                self.out_of_order.append(id_)
            self._highest[lane] = max(ord_, self._highest.get(lane, ord_))

    def _remember(self, id_: str, *, is_stored: bool) -> None:
        self._recent[id_] = is_stored
        if len(self._recent) > REMEMBERED_IDS:
            self._recent.popitem(last=False)

    @property
    def missing(self) -> frozenset[str]:
        """The ids of what the device was not handed, and has to be."""
        return frozenset(self._owed)

    @property
    def unexpected(self) -> frozenset[str]:
        """The ids of what the device was handed and nobody has published."""
        return frozenset(self._unknown)


_FOR: Final = "of a soak, for "


def text(user: str) -> str:
    """Return the message of whatever is published for a user: a device sees by it whether it is its own."""
    return f"{_FOR}{user}"
