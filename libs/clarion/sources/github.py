"""Turns GitHub's webhook deliveries into notifications to the people whom they concern.

There is one rule for each kind of event, which yields whom it concerns and why. When it yields several reasons for one
person, the first counts, so rules yield the strongest first. As on GitHub, people are not told what they did themselves
unless they want their own updates, too.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clarion.contracts import limits
from clarion.contracts.ids import idempotent_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Notification
from clarion.sources.payload import at, items, mentions, person, text

SENDER: Final = "github"
_FAILED: Final = frozenset({"failure", "error", "timed_out", "startup_failure", "action_required"})
_SEVERE: Final = frozenset({"critical", "high"})

LANE_OF: Final = {
    "failed_check": Lane.URGENT,
    "security_alert": Lane.URGENT,
    "assigned": Lane.HIGH,
    "review_requested": Lane.HIGH,
    "reviewed": Lane.NORMAL,
    "mentioned": Lane.NORMAL,
    "commented": Lane.NORMAL,
    "closed": Lane.NORMAL,
    "invited": Lane.NORMAL,
    "opened": Lane.LOW,
    "pushed": Lane.LOW,
    "released": Lane.LOW,
    "starred": Lane.LOW,
}


@dataclass(frozen=True, slots=True)
class Concern:
    """Whom an event concerns, and why.

    `kind` is a key of LANE_OF. `what` ends a sentence that begins with the actor's name, such as "opened #12".
    """

    person: str
    kind: str
    what: str


Payload = Mapping[str, Any]
Rule = Callable[[Payload], Iterator[Concern]]


def notifications(event: str, payload: Payload, *, delivery: str, own_updates: bool = False) -> list[Notification]:
    """Return the notifications for one webhook delivery, at most one a person. Never raise, whatever the fields hold.

    `event` is the kind of event (the header X-GitHub-Event). `delivery` is the delivery's id: the same one makes the
    same ids of notifications. `own_updates` also tells the actor.
    """
    actor = text(payload, "sender", "login")
    rule = _RULES.get(event)
    told: dict[str, Notification] = {}
    for concern in rule(payload) if rule else ():
        who = concern.person
        if not who or len(who) > limits.NAME_CHARS or who in told or (who == actor and not own_updates):
            continue
        told[who] = _notification(event, payload, concern, actor or SENDER, delivery)
    return list(told.values())


def _notification(event: str, payload: Payload, concern: Concern, actor: str, delivery: str) -> Notification:
    subject = _subject(payload)
    repository, number = text(payload, "repository", "full_name"), at(subject, "number")
    facts = {
        "event": event,
        "action": text(payload, "action"),
        "repository": repository,
        "number": number if isinstance(number, int) else None,
        "title": text(subject, "title")[:300],
        "url": _url(payload, subject),
    }
    thread = f"{repository}#{number}" if isinstance(number, int) else repository
    message = f"{actor} {concern.what}" + (f" in {repository}" if repository else "")
    return Notification(
        id=idempotent_id(SENDER, concern.person, f"{delivery}:{concern.kind}"),
        type=f"github.{concern.kind}",
        message=message[: limits.MESSAGE_CHARS],
        recipient=concern.person,
        sender=SENDER,
        priority=LANE_OF[concern.kind],
        data={name: fact for name, fact in facts.items() if fact not in (None, "")},
        collapse_key=f"{thread}:{concern.kind}"[: limits.NAME_CHARS] if thread else None,
    )


def _subject(payload: Payload) -> Any:
    names = ("pull_request", "issue", "discussion", "release", "alert")
    return next((found for name in names if (found := at(payload, name))), None)


def _url(payload: Payload, subject: Any) -> str:
    places = (at(payload, "comment"), at(payload, "review"), *_runs(payload), subject, at(payload, "repository"))
    urls = (text(place, "html_url") for place in places)
    return next((url for url in urls if url.startswith("https://") and len(url) < 500), "")


def _runs(payload: Payload) -> list[Any]:
    return [at(payload, name) for name in ("check_run", "workflow_run", "workflow_job")]


def _title(subject: Any) -> str:
    number, title = at(subject, "number"), text(subject, "title")
    shown = f"“{title[:200]}”" if title else ""
    return f"#{number} {shown}".strip() if isinstance(number, int) else shown


# ---- rules: the strongest reason first


def _thread(payload: Payload) -> Iterator[Concern]:
    """Yield whom an issue, a pull request or a discussion concerns."""
    subject, action = _subject(payload), text(payload, "action")
    title, author = _title(subject), person(subject, "user")
    if action == "assigned":
        yield Concern(person(payload, "assignee"), "assigned", f"assigned you to {title}")
    if action == "review_requested":
        yield Concern(person(payload, "requested_reviewer"), "review_requested", f"requested your review on {title}")
    if action in ("opened", "created", "edited"):
        for login in mentions(text(subject, "body")):
            yield Concern(login, "mentioned", f"mentioned you in {title}")
    if action in ("opened", "created"):
        for assignee in items(subject, "assignees"):
            yield Concern(person(assignee), "assigned", f"opened {title} for you")
        for reviewer in items(subject, "requested_reviewers"):
            yield Concern(person(reviewer), "review_requested", f"requested your review on {title}")
        yield Concern(person(payload, "repository", "owner"), "opened", f"opened {title}")
    if action in ("closed", "reopened", "answered"):
        done = "merged" if action == "closed" and at(subject, "merged") is True else action
        yield Concern(author, "closed", f"{done} {title}")


def _comment(payload: Payload) -> Iterator[Concern]:
    """Yield whom a comment or a review concerns."""
    subject, action = _subject(payload), text(payload, "action")
    if action not in ("created", "edited", "submitted"):
        return
    title = _title(subject) or "a commit"
    if text(payload, "review", "state"):
        yield Concern(person(subject, "user"), "reviewed", f"reviewed {title}")
    for place in ("comment", "review"):
        for login in mentions(text(payload, place, "body")):
            yield Concern(login, "mentioned", f"mentioned you in {title}")
    if action != "edited":
        yield Concern(person(subject, "user"), "commented", f"commented on {title}")
        for assignee in items(subject, "assignees"):
            yield Concern(person(assignee), "commented", f"commented on {title}")
        yield Concern(person(payload, "repository", "owner"), "commented", f"commented on {title}")


def _push(payload: Payload) -> Iterator[Concern]:
    branch = text(payload, "ref").removeprefix("refs/heads/")
    commits = items(payload, "commits")
    what = f"pushed {len(commits)} commit{'' if len(commits) == 1 else 's'} to {branch[:200]}"
    if commits:
        yield Concern(person(payload, "repository", "owner"), "pushed", what)
        for commit in commits:
            yield Concern(text(commit, "author", "username"), "pushed", what)


def _check(payload: Payload) -> Iterator[Concern]:
    """Yield whom a failed check run or suite, workflow or job, or commit status concerns."""
    for name in ("check_run", "check_suite", "workflow_run", "workflow_job"):
        run = at(payload, name)
        if text(run, "conclusion") in _FAILED:
            shown, branch = text(run, "name")[:200] or "a check", text(run, "head_branch")[:200]
            what = f"ran into a failure: {shown}" + (f" on {branch}" if branch else "")
            for request in items(run, "pull_requests"):
                yield Concern(person(request, "user"), "failed_check", what)
            yield Concern(person(run, "actor") or person(payload, "sender"), "failed_check", what)
    if text(payload, "state") in _FAILED:
        what = f"ran into a failure: {text(payload, 'context')[:200]}"
        yield Concern(person(payload, "commit", "author"), "failed_check", what)
        yield Concern(person(payload, "sender"), "failed_check", what)


def _alert(payload: Payload) -> Iterator[Concern]:
    alert = at(payload, "alert")
    severity = (
        text(alert, "security_advisory", "severity")
        or text(alert, "rule", "security_severity_level")
        or text(alert, "rule", "severity")
    )
    opened = text(payload, "action") in ("created", "reopened", "reopened_by_user", "appeared_in_branch")
    if opened and (severity in _SEVERE or severity in ("error", "warning")):
        yield Concern(_owner_or_sender(payload), "security_alert", f"found a security problem ({severity})")


def _owner_or_sender(payload: Payload) -> str:
    return person(payload, "repository", "owner") or person(payload, "sender")


def _member(payload: Payload) -> Iterator[Concern]:
    if text(payload, "action") == "added":
        yield Concern(person(payload, "member"), "invited", "made you a collaborator")


def _release(payload: Payload) -> Iterator[Concern]:
    if text(payload, "action") in ("published", "released"):
        tag = text(payload, "release", "tag_name")[:100]
        yield Concern(person(payload, "repository", "owner"), "released", f"released {tag}")


def _star(payload: Payload) -> Iterator[Concern]:
    if text(payload, "action") == "created":
        yield Concern(person(payload, "repository", "owner"), "starred", "starred your repository")


_RULES: Final[Mapping[str, Rule]] = {
    "issues": _thread,
    "pull_request": _thread,
    "discussion": _thread,
    "issue_comment": _comment,
    "commit_comment": _comment,
    "discussion_comment": _comment,
    "pull_request_review": _comment,
    "pull_request_review_comment": _comment,
    "push": _push,
    "check_run": _check,
    "check_suite": _check,
    "workflow_run": _check,
    "workflow_job": _check,
    "status": _check,
    "code_scanning_alert": _alert,
    "dependabot_alert": _alert,
    "member": _member,
    "release": _release,
    "star": _star,
}
