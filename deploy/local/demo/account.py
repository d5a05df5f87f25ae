"""Account for every notification of a demonstration. Pure."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Account:
    """The ids at each station of their way. `unaccounted` is empty when everything is delivered."""

    published: dict[str, str] = field(default_factory=dict[str, str])  # id → recipient
    live: Counter[str] = field(default_factory=Counter[str])
    replayed: Counter[str] = field(default_factory=Counter[str])
    to_another: list[str] = field(default_factory=list[str])
    stored: set[str] = field(default_factory=set[str])
    acknowledged: set[str] = field(default_factory=set[str])
    repeats: int = 0  # on the wire; the SDK drops them

    def received(self, id_: str, user: str, *, is_live: bool) -> None:
        """Note that `user` has received a notification, live or by replay."""
        if self.published.get(id_, user) != user:
            self.to_another.append(id_)
        (self.live if is_live else self.replayed)[id_] += 1

    @property
    def seen(self) -> set[str]:
        """Return the ids that somebody has received."""
        return {*self.live, *self.replayed}

    @property
    def duplicates(self) -> int:
        """Return how often a notification was received that had been received before."""
        return (self.live + self.replayed).total() - len(self.seen)

    @property
    def unaccounted(self) -> set[str]:
        """Return the ids for which something is wrong.

        Each was published and not stored, not received or not acknowledged, or another user received it, or nobody
        published it.
        """
        published = set(self.published)
        done = self.stored & self.seen & self.acknowledged
        return (published - done) | (self.seen - published) | set(self.to_another)

    def is_complete(self) -> bool:
        """Return whether everything is accounted for."""
        return not self.unaccounted

    def rows(self) -> list[tuple[str, int]]:
        """Return the figures with their names, in the order in which to show them."""
        return [
            ("published", len(self.published)),
            ("stored", len(self.stored)),
            ("delivered live", len(self.live)),
            ("replayed", len(self.replayed)),
            ("acknowledged", len(self.acknowledged)),
            ("repeats on the wire", self.repeats),
            ("duplicates", self.duplicates),
            ("unaccounted", len(self.unaccounted)),
        ]
