"""What a fault run must show: published, stored and emitted → what is wrong. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Said(NamedTuple):
    """What was published under an id."""

    recipient: str
    message: str


class Emission(NamedTuple):
    """An item as it stood in a mailbox, in the order of the mailbox."""

    mailbox: int
    recipient: str
    id: str
    ord: int


@dataclass(slots=True)
class Verdict:
    """Ids with something wrong, by kind of wrong; and how many were emitted more than once."""

    lost: list[str] = field(default_factory=list[str])
    changed: list[str] = field(default_factory=list[str])
    unexpected: list[str] = field(default_factory=list[str])
    never_emitted: list[str] = field(default_factory=list[str])
    out_of_order: list[str] = field(default_factory=list[str])
    repeats: int = 0

    def wrongs(self) -> dict[str, list[str]]:
        kinds = {
            "lost": self.lost,
            "changed": self.changed,
            "unexpected": self.unexpected,
            "never emitted": self.never_emitted,
            "out of order": self.out_of_order,
        }
        return {kind: ids for kind, ids in kinds.items() if ids}


def account(
    published: Mapping[str, Said],
    unsure: Iterable[str],
    stored: Mapping[str, Said],
    emissions: Sequence[Emission],
    online: frozenset[str],
    early: Iterable[str] = (),
) -> Verdict:
    """Hold the three against each other.

    `published` is what Kafka acknowledged, `unsure` the ids of what it may or may not have taken. `online` users must
    have been sent each of theirs at least once; the first emission of each comes in `ord` order for its recipient.
    `early` are the ids that went live before they were stored: they excuse none of that.
    """
    verdict = Verdict()
    verdict.lost = [id_ for id_ in published if id_ not in stored]
    verdict.changed = [id_ for id_, said in published.items() if id_ in stored and stored[id_] != said]
    known = set(published) | set(unsure)
    times = Counter(emission.id for emission in emissions)
    verdict.unexpected = [id_ for id_ in {*stored, *times, *early} if id_ not in known]
    verdict.never_emitted = [id_ for id_, said in published.items() if said.recipient in online and id_ not in times]
    verdict.repeats = sum(count - 1 for count in times.values())
    highest: dict[str, int] = {}
    seen: set[str] = set()
    for emission in emissions:
        if emission.id in seen:
            continue
        seen.add(emission.id)
        if emission.ord <= highest.get(emission.recipient, -1):
            verdict.out_of_order.append(emission.id)
        highest[emission.recipient] = max(emission.ord, highest.get(emission.recipient, -1))
    return verdict
