"""What a gateway keeps of revoked tokens."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from clarion.security.tokens import Claims
from clarion.security.verifier import Verifier
from clarion.settings import Settings
from clarion.store.revocations import LATEST
from clarion.web import revocations
from clarion.web.revocations import Revocations, seconds_after

NOW = datetime(2026, 1, 1, 12, 0, 0, 400_000, tzinfo=UTC)
NOTHING: Any = None  # no database is looked at here
EXACT: Any = SimpleNamespace(lead_s=0.0, leeway_s=60.0)  # no token is verified: only the issuer's clock counts


def revoked(verifier: Any = EXACT) -> Revocations:
    return Revocations(verifier, NOTHING, today=(NOW + timedelta(hours=1)).timestamp)


def claims(user: str, issued: float) -> Claims:
    return Claims(user, frozenset(), issued + 3_600, issued)


def test_tokens_from_before_the_next_second_are_refused() -> None:
    tokens_from = seconds_after(NOW)
    assert tokens_from == datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
    known = revoked()
    assert not known.refuses(claims("ann", 0))
    known.note("ann", tokens_from)
    assert known.refuses(claims("ann", int(NOW.timestamp())))
    assert not known.refuses(claims("ann", tokens_from.timestamp()))
    assert not known.refuses(claims("bob", 0))


def test_a_token_by_a_clock_ahead_does_not_outlive_a_revocation() -> None:
    known, tokens_from = revoked(), seconds_after(NOW)
    known.today = NOW.timestamp
    known.note("ann", tokens_from)
    began = tokens_from.timestamp()
    assert known.refuses(claims("ann", began + 30)), "it is from the future, so its clock is ahead by what nobody knows"
    assert not known.refuses(claims("ann", began + 61)), "beyond the leeway it was not issued before"
    assert not known.refuses(claims("bob", began + 30))
    known.today = (NOW + timedelta(seconds=50)).timestamp
    assert not known.refuses(claims("ann", began + 30)), "a new token of an exact issuer is good"
    ahead = revoked(SimpleNamespace(lead_s=40.0, leeway_s=60.0))
    ahead.today = known.today
    ahead.note("ann", tokens_from)
    assert ahead.refuses(claims("ann", began + 39)), "its issuer's clock was seen 40 s ahead"
    assert not ahead.refuses(claims("ann", began + 40))


async def test_a_verifier_sees_how_far_its_issuers_clock_is_ahead() -> None:
    settings = Settings(env="dev", jwt_secret="s" * 32)
    verifier, now = Verifier(settings), time.time()
    for ahead, seen in ((-30, 0), (40, 40), (10, 40)):
        good = {"sub": "ann", "iss": "clarion", "aud": "clarion", "iat": now + ahead, "exp": now + 600}
        await verifier.verify(jwt.encode(good, settings.jwt_secret, "HS256"))
        assert verifier.lead_s == pytest.approx(seen, abs=5)


def test_a_later_revocation_stands_whatever_is_heard_afterwards() -> None:
    known = revoked()
    later, earlier = seconds_after(NOW), datetime(2025, 1, 1, tzinfo=UTC)
    for heard in (later, earlier, None):
        known.note("ann", heard)
    assert known.refuses(claims("ann", later.timestamp() - 1))


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    known = revoked()
    for number in range(LATEST + 1):
        known.note(f"user-{number}", seconds_after(NOW))
        known.note(f"asked-{number}", None)
    assert len(known._tokens_from) == len(known._asked) == LATEST
    assert not known.refuses(claims("user-0", 0))
    assert known.refuses(claims("user-1", 0))


class Stored:
    """What a look at the store finds."""

    def __init__(self, found: dict[str, datetime]) -> None:
        self.found = found

    async def since(self, *_: object) -> dict[str, datetime]:
        return self.found


async def test_the_store_is_not_asked_once_all_revocations_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = revoked()
    ann, bob = claims("ann", NOW.timestamp() - 60), claims("bob", NOW.timestamp() - 60)
    assert not known.decides(bob), "nothing was looked at"
    monkeypatch.setattr(revocations.revocations, "since", Stored({"ann": NOW}).since)
    await known.load()
    assert [known.refuses(one) for one in (ann, bob)] == [True, False]
    assert known.decides(ann)
    assert known.decides(bob)


async def test_tokens_older_than_what_is_kept_are_left_to_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = revoked()
    found = {f"user-{n}": NOW + timedelta(seconds=n) for n in range(LATEST)}
    monkeypatch.setattr(revocations.revocations, "since", Stored(found).since)
    await known.load()
    first = NOW.timestamp()
    assert not known.decides(claims("bob", first - 1)), "he may be among those that were not read"
    assert known.decides(claims("bob", first))
    known.note("ann", seconds_after(NOW))  # the earliest is forgotten
    known.note("eve", seconds_after(NOW))
    assert not known.decides(claims("bob", first))
    assert known.decides(claims("bob", first + 1))


async def test_tokens_older_than_what_a_look_brings_are_left_to_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, store, heard = revoked(), Stored({}), asyncio.Event()
    monkeypatch.setattr(revocations.revocations, "since", store.since)
    monkeypatch.setattr(revocations, "LOOK_EVERY_S", 0.0)
    await known.load()
    bob = claims("bob", NOW.timestamp() - 1)
    assert known.decides(bob)
    store.found = {f"user-{n}": NOW + timedelta(seconds=n) for n in range(LATEST)}
    following = asyncio.create_task(revocations.follow(known, lambda user, moment: heard.set(), NOW))
    await asyncio.wait_for(heard.wait(), 10)
    following.cancel()
    assert not known.decides(bob), "he may be among those that were not read"
    assert known.decides(claims("bob", NOW.timestamp()))
