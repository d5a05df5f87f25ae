"""Which of MongoDB's errors pass by themselves, and which are about the content of one write.

What passes is tried again for as long as it takes. What is about the content of a write stays, however often it is
tried: it must cost that write's own user something, and nobody else.
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
# What a driver leaves to its caller and what passes all the same: two writers met, or the server lacks something.
_TO_WAIT_FOR: Final = frozenset(
    {
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
        14031,  # OutOfDiskSpace: somebody makes room; giving up would lose what was accepted
    }
)
PASSING: Final = _RETRYABLE | _TO_WAIT_FOR
# BadValue, FailedToParse, TypeMismatch, Overflow (nested too deeply), InvalidBSON, BSONObjectTooLarge, KeyTooLong: said
# of a command because of what is in it
_OF_CONTENT: Final = frozenset({2, 9, 14, 15, 22, 10334, 17280})

# Raised by the driver before anything is sent; a text that has no UTF-8 is a UnicodeError.
UNENCODABLE: Final[tuple[type[Exception], ...]] = (BSONError, UnicodeError, OverflowError)


class Unsure(Exception):
    """It is unknown whether a write lasts, or it failed for a reason that passes by itself."""


class Unacceptable(Exception):
    """A write will never be taken, because of what is in it."""


# What may pass by itself.
TRANSIENT: Final[tuple[type[Exception], ...]] = (
    ConnectionFailure,
    ExecutionTimeout,
    WriteConcernError,  # WTimeoutError is one, and what a server says that is being shut down
    CursorNotFound,
    Unsure,
)


# For a health report; the first that fits. pymongo's own types are said nowhere else.
_WORDS: Final[tuple[tuple[type[PyMongoError], str], ...]] = (
    (NotPrimaryError, "it has no primary just now"),
    (ServerSelectionTimeoutError, "no server can be reached, or none is primary"),
    (WaitQueueTimeoutError, "all connections to it are in use"),
    (NetworkTimeout, "no answer in time"),
    (ConnectionFailure, "the connection was lost, or given up for want of an answer"),
    (ExecutionTimeout, "no answer in time"),
)


def in_words(error: PyMongoError) -> str:
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if isinstance(error, OperationFailure):
        return f"it refuses to answer, code {error.code}"
    return "it cannot be asked"


def passes(error: OperationFailure) -> bool:
    return error.code in PASSING or error.has_error_label("RetryableWriteError")


def is_of_content(error: OperationFailure) -> bool:
    return error.code in _OF_CONTENT


def asked(call: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """For a function that asks MongoDB: an error that passes by itself comes out as one of TRANSIENT.

    The driver has types for some of those errors only; the rest are told apart by their codes.
    """

    @wraps(call)
    async def asking(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await call(*args, **kwargs)
        except OperationFailure as error:
            if passes(error):
                raise Unsure(f"{error.code}: {error}"[:ERROR_CHARS]) from error
            raise

    return asking
