"""What a load is to be: how much, for how long, to how many users. Each has a cap. Pure."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from clarion.contracts.lanes import LANES, Lane

PREFIX: Final = "clarion-bench-"  # of every user of a load, so that no real user gets any of it
SENDER: Final = "clarion-bench"

RATE_MOST: Final = 2_000.0  # notifications a second
SECONDS_MOST: Final = 600.0
USERS_MOST: Final = 1_000
TOTAL_MOST: Final = 200_000

# Of all notifications; all lanes at once, since they share brokers and MongoDB.
SHARES: Final[Mapping[Lane, float]] = {Lane.URGENT: 0.1, Lane.HIGH: 0.2, Lane.NORMAL: 0.4, Lane.LOW: 0.3}
_OF_LIMIT: Final = 0.8  # of a recipient's limit: what comes at random is sometimes more than on average
_OF_CONNECTIONS: Final = 0.9


class PlanError(ValueError):
    """The load cannot be made as asked; the message names the option, its limit and what to do."""


class Planned(NamedTuple):
    """A notification to publish, `at` seconds after the start, to the user of this number."""

    at: float
    lane: Lane
    user: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A load: notifications a second, for so many seconds, to so many users."""

    rate: float
    seconds: float
    users: int

    @property
    def total(self) -> int:
        """Return how many notifications that is."""
        return max(1, int(self.rate * self.seconds))

    def check(self, *, recipient_rate: float, connections_per_ip: int) -> None:
        """Raise `PlanError` for a load above a cap, or one that the system's limits would cut. 0 means no limit."""
        for name, value, most in (
            ("--rate", self.rate, RATE_MOST),
            ("--for", self.seconds, SECONDS_MOST),
            ("--users", self.users, USERS_MOST),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} is {value:g}: give more than 0 and at most {most:g}")
        if self.total > TOTAL_MOST:
            raise PlanError(f"--rate times --for is {self.total}: give at most {TOTAL_MOST} notifications in all")
        if connections_per_ip and self.users > _OF_CONNECTIONS * connections_per_ip:
            raise PlanError(
                f"--users is {self.users}, but an address may have {connections_per_ip} connections "
                f"(CLARION_CONNECTIONS_PER_IP): give at most {int(_OF_CONNECTIONS * connections_per_ip)}"
            )
        most = max(share for lane, share in SHARES.items() if lane is not Lane.URGENT)
        each = self.rate * most / self.users
        if recipient_rate and each > _OF_LIMIT * recipient_rate:
            users = int(self.rate * most / (_OF_LIMIT * recipient_rate)) + 1
            raise PlanError(
                f"each of {self.users} users would get {each:.1f} notifications a second in a lane, and what is above "
                f"{recipient_rate:g} is not pushed (CLARION_RECIPIENT_RATE): give --users {users}, or a lower --rate"
            )

    def notifications(self, seed: int = 0) -> Iterator[Planned]:
        """Yield what to publish, in order, at even distances, with lanes and users at random."""
        chosen = random.Random(seed)  # noqa: S311 - no secret
        weights = [SHARES[lane] for lane in LANES]
        for number in range(self.total):
            (lane,) = chosen.choices(LANES, weights)
            yield Planned(number / self.rate, lane, chosen.randrange(self.users))
