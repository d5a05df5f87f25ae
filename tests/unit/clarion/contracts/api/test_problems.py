"""Decoding errors become problems that name the field, the code and the limit."""

import msgspec
import pytest

from clarion.contracts import limits
from clarion.contracts.api.problems import FieldError, Problem, field_error
from clarion.contracts.lanes import LANES
from clarion.contracts.records.notification import Invalid, Submission


def complaint(text: bytes) -> FieldError:
    try:
        msgspec.json.decode(text, type=Submission)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return field_error(error)
    raise AssertionError("decoded")


@pytest.mark.parametrize(
    ("fields", "pointer", "code", "limit"),
    [
        (b'"type":"a"', "/message", "required", None),
        (b'"type":"A b","message":"x"', "/type", "pattern", limits.TYPE_PATTERN),
        (b'"type":"a","message":""', "/message", "too_short", 1),
        (b'"type":"a","message":"%s"' % (b"x" * 4097), "/message", "too_long", 4096),
        (b'"type":"a","message":"x","recipients":["a",""]', "/recipients/1", "too_short", 1),
        (b'"type":"a","message":"x","recipients":[]', "/recipients", "too_short", 1),
        (b'"type":"a","message":"x","priority":"huge"', "/priority", "unknown_value", "|".join(LANES)),
        (b'"type":"a","message":"x","colour":1', "/colour", "unknown_field", None),
        (b'"type":"a","message":"x","a/b~c":1', "/a~1b~0c", "unknown_field", None),
        (b'"type":"a","message":"x","data":[]', "/data", "type", "object"),
        (b'"type":"a","message":"x","data":{"n":1e999}', "/data", "invalid", None),
        (b'"type":"a","message":"x","v":0', "/v", "out_of_range", 1),
        (b'"type":"a","message":"x","expires_at":"soon"', "/expires_at", "time", None),
        (b'"type":"a","message":"x","expires_at":"2030-01-01T00:00:00"', "/expires_at", "timezone", None),
    ],
)
def test_an_invalid_field_is_named_with_its_limit(fields: bytes, pointer: str, code: str, limit: object) -> None:
    error = complaint(b"{" + fields + b"}")
    assert (error.pointer, error.code, error.limit) == (pointer, code, limit)
    assert error.detail


@pytest.mark.parametrize("text", [b"", b"{", b'{"type":"\xff"}', b"\xef\xbb\xbf{}", b'{"data":{"a":NaN}}'])
def test_what_is_not_json_is_malformed(text: bytes) -> None:
    assert complaint(text).code == "malformed"


def test_endless_nesting_is_named_as_such() -> None:
    text = b'{"data":' + b'{"a":' * 40_000 + b"1" + b"}" * 40_001
    assert complaint(text).code == "too_deep"


def test_a_check_of_our_own_keeps_what_it_says() -> None:
    assert field_error(Invalid("/data", "too_deep", 32, "nests")) == FieldError("/data", "too_deep", "nests", 32)


def test_a_problem_without_errors_says_only_what_it_must() -> None:
    assert (
        msgspec.json.encode(Problem("Not Found", 404, "no"))
        == b'{"title":"Not Found","status":404,"detail":"no","type":"about:blank"}'
    )
