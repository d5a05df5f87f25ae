"""What a device was handed against what was published for its user → what is wrong. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from clarion.contracts.lanes import Lane
from tests.faults.account import Said


class Handed(NamedTuple):
    """An item as its SDK handed it out; `ord` is None when it came before it was stored."""

    id: str
    message: str
    lane: Lane
    ord: tuple[int, int] | None


class Had(NamedTuple):
    """What a device was handed; and what it read in its inbox, because it was told to (`resync`)."""

    user: str
    handed: Sequence[Handed]
    in_inbox: frozenset[str] = frozenset()


@dataclass(slots=True)
class Findings:
    """Of all devices: how many items were handed out, and those with something wrong, by kind of wrong."""

    handed: int = 0
    lost: list[str] = field(default_factory=list[str])
    foreign: list[str] = field(default_factory=list[str])
    unexpected: list[str] = field(default_factory=list[str])
    out_of_order: list[str] = field(default_factory=list[str])
    twice: list[str] = field(default_factory=list[str])

    def wrongs(self) -> dict[str, list[str]]:
        return {
            "lost": self.lost,
            "to another user": self.foreign,
            "unexpected": self.unexpected,
            "out of order": self.out_of_order,
            "twice after the SDK": self.twice,
        }


def owed(published: Mapping[str, Said]) -> dict[str, set[str]]:
    """The ids that each user's devices have to be handed."""
    found: dict[str, set[str]] = {}
    for id_, said in published.items():
        found.setdefault(said.recipient, set()).add(id_)
    return found


def judge(published: Mapping[str, Said], unsure: Iterable[str], devices: Iterable[Had]) -> Findings:
    """Each device is owed all that is its user's, once: live, or where it was told to look.

    Of each lane in `ord` order, those that came early apart: they have no place in it.
    """
    findings, unsure_ids = Findings(), set(unsure)
    by_user = owed(published)
    for user, handed, in_inbox in devices:
        findings.handed += len(handed)
        times = Counter(item.id for item in handed)
        findings.lost += by_user.get(user, set()) - times.keys() - in_inbox
        findings.twice += [id_ for id_, count in times.items() if count > 1]
        highest: dict[Lane, tuple[int, int]] = {}
        for item in handed:
            said = published.get(item.id)
            if said is None and item.id not in unsure_ids:
                findings.unexpected.append(item.id)
            elif said is not None and said != Said(user, item.message):
                findings.foreign.append(item.id)
            if item.ord is not None:
                if item.ord <= highest.get(item.lane, (-1, -1)):
                    findings.out_of_order.append(item.id)
                highest[item.lane] = max(item.ord, highest.get(item.lane, item.ord))
    return findings
