"""Which of MongoDB's errors pass by themselves, and which come from the content of one write.

After an error that passes, the operation is tried again without a limit. An error from the content of a write comes
back however often it is tried: it may cost the user of that write something, and nobody else.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from bson.errors import BSONError
from pymongo.errors import (
    ConnectionFailure,
    CursorNotFound,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

P = ParamSpec("P")
T = TypeVar("T")

DUPLICATE_KEY: Final = 11000
_AUTHENTICATION_FAILED: Final = 18
ERROR_CHARS: Final = 500

# The codes after which a driver may try again by itself (MongoDB's specification of retryable reads and writes).
_RETRYABLE: Final = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        134,  # ReadConcernMajorityNotAvailableYet
        189,  # PrimarySteppedDown
        262,  # ExceededTimeLimit
        9001,  # SocketException
        10058,  # LegacyNotPrimary
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
    }
)
# Errors that a driver leaves to its caller and that pass all the same: two writers met, or the server lacks something.
_TO_WAIT_FOR: Final = frozenset(
    {
        # AuthenticationFailed: while a password is rotated, MongoDB has another one than our file for a moment; and if
        # it is wrong for good, an operator writes the right one, and nothing that was accepted may be lost until then
        _AUTHENTICATION_FAILED,
        24,  # LockTimeout
        46,  # LockBusy
        50,  # MaxTimeMSExpired
        63,  # StaleShardVersion: the chunk has moved, and its new place is known soon
        64,  # WriteConcernFailed
        94,  # NotYetInitialized
        112,  # WriteConflict
        133,  # FailedToSatisfyReadPreference: no primary is elected yet
        150,  # StaleEpoch
        202,  # NetworkInterfaceExceededTimeLimit
        237,  # CursorKilled
        246,  # SnapshotUnavailable
        365,  # TemporarilyUnavailable: the cache is full
        11601,  # Interrupted
        13388,  # StaleConfig
        14031,  # OutOfDiskSpace: an operator makes room; giving up would lose what was accepted
    }
)
PASSING: Final = _RETRYABLE | _TO_WAIT_FOR
# A command gets these errors because of what is in it: BadValue, FailedToParse, TypeMismatch, Overflow (nested too
# deeply), InvalidBSON, BSONObjectTooLarge, KeyTooLong.
_OF_CONTENT: Final = frozenset({2, 9, 14, 15, 22, 10334, 17280})

# The driver raises these before anything is sent; a text that UTF-8 cannot encode is a UnicodeError.
UNENCODABLE: Final[tuple[type[Exception], ...]] = (BSONError, UnicodeError, OverflowError)


class Unsure(Exception):
    """An operation failed for a reason that passes by itself, or it is unknown whether a write lasts."""


class Unacceptable(Exception):
    """A write will never be taken, because of what is in it."""


# Errors that may pass by themselves.
TRANSIENT: Final[tuple[type[Exception], ...]] = (
    ConnectionFailure,
    ExecutionTimeout,
    WriteConcernError,  # such as WTimeoutError, and what a server says while it shuts down
    CursorNotFound,
    Unsure,
)


# Words for a health report, by the first type that fits, so that an operator need not know pymongo's types.
_WORDS: Final[tuple[tuple[type[PyMongoError], str], ...]] = (
    (NotPrimaryError, "the replica set has no primary at the moment"),
    (ServerSelectionTimeoutError, "no server can be reached, or none is primary"),
    (WaitQueueTimeoutError, "all connections to the server are in use"),
    (NetworkTimeout, "the server did not answer in time"),
    (ConnectionFailure, "the connection was lost, or was closed because no answer came"),
    (ExecutionTimeout, "the server did not answer in time"),
)


def in_words(error: PyMongoError) -> str:
    """Return, in words for a health report, why MongoDB did not answer."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if isinstance(error, OperationFailure) and error.code == _AUTHENTICATION_FAILED:
        return "the server refuses the user or the password of CLARION_MONGODB"
    if isinstance(error, OperationFailure):
        return f"the server refused to answer, with the error code {error.code}"
    return "the server could not be asked; the log has the cause"


def passes(error: OperationFailure) -> bool:
    """Return whether the error passes by itself."""
    return error.code in PASSING or error.has_error_label("RetryableWriteError")


def is_of_content(error: OperationFailure) -> bool:
    """Return whether the error comes from what is in the command."""
    return error.code in _OF_CONTENT


def asked(call: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorate a function that asks MongoDB, so that an error that passes by itself comes out as one of `TRANSIENT`.

    The driver has types for some of those errors only; the others are recognised by their codes.
    """

    @wraps(call)
    async def asking(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await call(*args, **kwargs)
        except OperationFailure as error:
            if passes(error):
                raise Unsure(f"MongoDB error {error.code}: {error}"[:ERROR_CHARS]) from error
            raise

    return asking
