"""Turn the bytes of a request into notifications, or into what is wrong with each field. Pure."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from clarion.contracts import limits
from clarion.contracts.api.problems import FieldError, field_error
from clarion.contracts.ids import fan_out_id, idempotent_id, line_id, new_id
from clarion.contracts.records import notification, scheduling
from clarion.contracts.records.notification import Invalid, Notification, Submission
from clarion.contracts.times import truncate
from clarion.security.tokens import PUBLISH, PUBLISH_ANY, Claims

VERSION: Final = 1

_decoder = msgspec.json.Decoder(Submission)


class Rejected(Exception):
    """A submission that cannot be accepted as it is. `status` is the HTTP status; `errors` name the fields."""

    def __init__(self, status: int, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors))
        self.status: Final = status
        self.errors: Final = errors


def decode(body: bytes) -> Submission:
    """Decode a submission. Raise `Rejected`: 400 for what is not JSON, 422 for what is not a submission."""
    try:
        return _decoder.decode(body)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Rejected(422, field_error(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected(400, field_error(error)) from error


def notifications_of(
    submission: Submission, claims: Claims, key: str | None, now: datetime, line: int | None = None
) -> Sequence[Notification]:
    """Return one notification for each recipient, in their order.

    Under an idempotency `key`, and for the same `line` of a batch, the ids are the same each time. Raise `Rejected` for
    what is wrong with the fields.
    """
    sender = submission.sender or claims.subject
    may_publish(claims, sender)
    if errors := [*_recipient_errors(submission), *_name_errors("/sender", sender), *_content_errors(submission, now)]:
        raise Rejected(422, *errors)
    recipients = submission.recipients or [submission.recipient or ""]
    notifications = [
        _notification(submission, sender, recipient, _id(submission, sender, recipient, key, now, line), now)
        for recipient in recipients
    ]
    _check_size(notifications)
    return notifications


def parse_line(line: bytes, number: int, claims: Claims, key: str | None, now: datetime) -> Notification:
    """Return the notification of a batch's line, which has one recipient. Raise `Rejected` for what is wrong."""
    submission = decode(line)
    if submission.recipients is not None:
        detail = "a line of a batch may not have `recipients`: write a line for each `recipient`"
        raise Rejected(422, FieldError("/recipients", "not_supported", detail))
    return notifications_of(submission, claims, key, now, number)[0]


def may_publish(claims: Claims, sender: str) -> None:
    """Raise `Rejected` unless the token's holder may publish in the name of `sender`."""
    if claims.may(PUBLISH_ANY):
        return
    if not claims.may(PUBLISH):
        raise Rejected(403, FieldError("", "scope", f"the token's scope lacks `{PUBLISH}`", PUBLISH))
    if sender != claims.subject:
        detail = f"the token is for {claims.subject!r}: to name another sender, it needs the scope `{PUBLISH_ANY}`"
        raise Rejected(403, FieldError("/sender", "foreign_sender", detail, claims.subject))


def _recipient_errors(submission: Submission) -> list[FieldError]:
    one, many = submission.recipient, submission.recipients
    if one is None and many is None:
        return [FieldError("/recipient", "required", "the notification needs `recipient` or `recipients`")]
    if one is not None and many is not None:
        return [FieldError("/recipients", "ambiguous", "give either `recipient` or `recipients`, not both")]
    seen: set[str] = set()
    errors = [] if one is None else _name_errors("/recipient", one)
    for index, name in enumerate(many or ()):
        errors += _name_errors(f"/recipients/{index}", name)
        if name in seen:
            errors.append(FieldError(f"/recipients/{index}", "duplicate", "this recipient is named twice"))
        seen.add(name)
    return errors


def _name_errors(pointer: str, name: str) -> list[FieldError]:
    try:
        notification.check_name(pointer, name)
    except Invalid as error:
        return [field_error(error)]
    return []


def _content_errors(submission: Submission, now: datetime) -> list[FieldError]:
    errors: list[FieldError] = []
    if submission.v != VERSION:
        errors.append(FieldError("/v", "out_of_range", f"`v` must be {VERSION}, the version of this server", VERSION))

    def check_moments() -> None:
        notification.check_moments(submission)
        scheduling.check(submission, now)

    checks: list[Callable[[], None]] = [
        lambda: notification.check_message(submission.message),
        lambda: notification.check_data(submission.data),
        check_moments,
    ]
    for check in checks:
        try:
            check()
        except Invalid as error:
            errors.append(field_error(error))
    if submission.expires_at is not None and submission.expires_at <= now:
        errors.append(FieldError("/expires_at", "past", "`expires_at` must be in the future"))
    return errors


def _id(submission: Submission, sender: str, recipient: str, key: str | None, now: datetime, line: int | None) -> str:
    if key is None:
        return new_id(scheduling.due(submission, now))
    if line is not None:
        return line_id(sender, recipient, key, line)
    return (fan_out_id if submission.recipients else idempotent_id)(sender, recipient, key)


def _notification(submission: Submission, sender: str, recipient: str, id_: str, now: datetime) -> Notification:
    return Notification(
        id=id_,
        type=submission.type,
        message=submission.message,
        priority=submission.priority,
        data=submission.data,
        expires_at=_in_utc(submission.expires_at),
        deliver_at=_in_utc(submission.deliver_at),
        collapse_key=submission.collapse_key,
        recipient=recipient,
        sender=sender,
        created_at=now,
    )


def _in_utc(moment: datetime | None) -> datetime | None:
    return truncate(moment.astimezone(UTC)) if moment else None


def _check_size(notifications: Sequence[Notification]) -> None:
    """Raise `Rejected` when a record would be too large.

    Only the recipients differ in length, so the longest one decides for all.
    """
    largest = max(notifications, key=lambda n: len(n.recipient.encode()))
    if len(notification.encode(largest)) > limits.RECORD_BYTES:
        raise Rejected(422, _too_large())


def _too_large() -> FieldError:
    return FieldError("", "too_large", f"the JSON may have at most {limits.RECORD_BYTES} bytes", limits.RECORD_BYTES)
