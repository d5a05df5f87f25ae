"""Real webhook deliveries → notifications to the people they concern."""

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.sources.github import LANE_OF, notifications
from clarion.sources.payload import mentions

DATA = Path(__file__).parents[3] / "data" / "github"
DELIVERIES: list[dict[str, Any]] = [
    msgspec.json.decode(line) for line in (DATA / "deliveries.jsonl").read_bytes().splitlines()
]


def find(event: str, action: str | None = None, **where: str) -> dict[str, Any]:
    """A real payload of this kind, to change as a test needs it."""
    for delivery in DELIVERIES:
        payload = delivery["payload"]
        if delivery["event"] == event and action in (None, payload.get("action")):
            return copy.deepcopy(payload)
    raise AssertionError(f"no {event} {action} {where} in the sample")


def told(event: str, payload: dict[str, Any], *, own: bool = False) -> dict[str, str]:
    """recipient → kind."""
    found = notifications(event, payload, delivery="d", own_updates=own)
    return {one.recipient: one.type.removeprefix("github.") for one in found}


def person(login: str) -> dict[str, str]:
    return {"login": login, "type": "User"}


def test_the_sample_is_real_large_enough_and_licensed() -> None:
    assert len(DELIVERIES) >= 60
    assert "MIT" in (DATA / "LICENSE").read_text()
    assert "@octokit/webhooks-examples" in (DATA / "README.md").read_text()


def test_the_sample_tells_of_most_kinds_within_every_limit(capsys: pytest.CaptureFixture[str]) -> None:
    kinds: Counter[str] = Counter()
    nobody = 0
    for number, delivery in enumerate(DELIVERIES):
        found = notifications(delivery["event"], delivery["payload"], delivery=str(number), own_updates=True)
        nobody += not found
        for one in found:
            kinds[one.type] += 1
            assert notification.decode(notification.encode(one)) == one
            assert one.data["url"].startswith("https://github.com/")
    with capsys.disabled():
        print(f"\n  {len(DELIVERIES)} deliveries, {nobody} concern nobody; {dict(kinds.most_common())}")
    expected = {"assigned", "review_requested", "commented", "reviewed", "pushed", "failed_check", "closed"}
    assert expected <= {kind.removeprefix("github.") for kind in kinds}
    assert nobody > 0


def test_an_assignment_tells_the_assignee() -> None:
    payload = find("issues", "assigned")
    payload["assignee"] = person("ann")
    assert told("issues", payload) == {"ann": "assigned"}


def test_a_review_is_requested_of_the_reviewer_and_is_high() -> None:
    payload = find("pull_request", "review_requested")
    payload["requested_reviewer"] = person("ann")
    (one,) = notifications("pull_request", payload, delivery="d")
    assert (one.recipient, one.priority) == ("ann", Lane.HIGH)
    assert one.message.startswith("Codertocat requested your review on #2 “Update the README")
    assert one.data["number"] == 2


def test_a_comment_tells_author_and_mentioned_but_not_its_writer() -> None:
    payload = find("issue_comment", "created")
    payload["issue"]["user"] = person("ann")
    payload["comment"]["body"] = "What do you think, @bob? `@eve` said no, mail me@example.org, cc @Codertocat @ann"
    assert told("issue_comment", payload) == {"bob": "mentioned", "ann": "mentioned"}
    payload["comment"]["body"] = "Nothing to add."
    assert told("issue_comment", payload) == {"ann": "commented"}


def test_a_review_tells_the_author() -> None:
    payload = find("pull_request_review", "submitted")
    payload["pull_request"]["user"] = person("ann")
    assert told("pull_request_review", payload)["ann"] == "reviewed"


def test_a_push_tells_the_owner_and_the_authors_of_its_commits() -> None:
    payload = next(d["payload"] for d in DELIVERIES if d["event"] == "push" and d["payload"]["commits"])
    payload = copy.deepcopy(payload)
    payload["repository"]["owner"] = person("owner")
    payload["commits"][0]["author"]["username"] = "ann"
    assert told("push", payload) == {"owner": "pushed", "ann": "pushed"}


def test_a_failed_check_is_urgent_and_told_to_whoever_caused_it() -> None:
    for event in ("check_run", "workflow_job"):
        payload = next(
            d["payload"] for d in DELIVERIES if d["event"] == event and d["payload"][event]["conclusion"] == "failure"
        )
        (one,) = notifications(event, payload, delivery="d", own_updates=True)
        assert (one.type, one.priority) == ("github.failed_check", Lane.URGENT)
        payload = copy.deepcopy(payload)
        payload[event]["conclusion"] = "success"
        assert told(event, payload, own=True) == {}


def test_organizations_and_bots_read_no_notifications() -> None:
    payload = find("issues", "assigned")
    for kind in ("Organization", "Bot"):
        payload["assignee"] = {"login": "x", "type": kind}
        assert told("issues", payload, own=True) == {}


def test_ids_are_the_same_for_the_same_delivery_only() -> None:
    payload = find("issues", "assigned")

    def ids(delivery: str) -> list[str | None]:
        return [one.id for one in notifications("issues", payload, delivery=delivery, own_updates=True)]

    assert ids("1") == ids("1") != ids("2")


def test_every_kind_has_a_lane() -> None:
    assert set(LANE_OF.values()) == set(Lane)


def test_mentions_are_found_outside_of_code_and_addresses() -> None:
    assert mentions("@a, (@b-c) and @a; not a@b.example, x/@y, ```\n@d\n``` or `@e`") == ["a", "b-c"]


oddities: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.integers(), st.text(max_size=5), st.sampled_from([[], [None], {}])
)


@settings(max_examples=300, deadline=None)  # an example waits for whatever else the machine does
@given(st.data())
def test_odd_payloads_concern_nobody_and_raise_nothing(data: st.DataObject) -> None:
    """Fields that are missing, empty or of another type, anywhere."""
    delivery = copy.deepcopy(data.draw(st.sampled_from(DELIVERIES)))
    place: Any = delivery["payload"]
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        if data.draw(st.booleans()):
            del place[key]
        else:
            place[key] = data.draw(oddities)
        break
    for one in notifications(delivery["event"], delivery["payload"], delivery="d", own_updates=True):
        assert len(one.recipient) <= limits.NAME_CHARS
        notification.decode(notification.encode(one))
