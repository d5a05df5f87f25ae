"""What a gateway keeps of revoked tokens."""

from datetime import UTC, datetime
from typing import Any

from clarion.security.tokens import Claims
from services.gateway import revocations
from services.gateway.revocations import Revocations, seconds_after

NOW = datetime(2026, 1, 1, 12, 0, 0, 400_000, tzinfo=UTC)
NOTHING: Any = None  # neither tokens nor a database are looked at here


def claims(user: str, issued: float) -> Claims:
    return Claims(user, frozenset(), issued + 3_600, issued)


def test_tokens_issued_before_the_next_second_are_refused_and_later_ones_are_not() -> None:
    tokens_from = seconds_after(NOW)
    assert tokens_from == datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
    known = Revocations(NOTHING, NOTHING)
    assert not known.refuses(claims("ann", 0))
    known.note("ann", tokens_from)
    assert known.refuses(claims("ann", int(NOW.timestamp())))
    assert not known.refuses(claims("ann", tokens_from.timestamp()))
    assert not known.refuses(claims("bob", 0))


def test_a_later_revocation_stands_whatever_is_heard_afterwards() -> None:
    known = Revocations(NOTHING, NOTHING)
    later, earlier = seconds_after(NOW), datetime(2025, 1, 1, tzinfo=UTC)
    for heard in (later, earlier, None):
        known.note("ann", heard)
    assert known.refuses(claims("ann", later.timestamp() - 1))


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    known = Revocations(NOTHING, NOTHING)
    for number in range(revocations._KNOWN + 1):
        known.note(f"user-{number}", seconds_after(NOW))
    assert len(known._known) == revocations._KNOWN
    assert not known.refuses(claims("user-0", 0))
    assert known.refuses(claims("user-1", 0))
