"""Which of MongoDB's errors pass by themselves: whoever takes one for fatal ends a process that could have waited."""

import traceback
from collections.abc import Sequence
from typing import Any

import pytest
from pymongo import UpdateOne, helpers_shared
from pymongo.errors import BulkWriteError, OperationFailure, WriteConcernError

from clarion.store.driver import database, failures
from clarion.store.driver.isolating import WriteFailure

DUPLICATE = {"index": 0, "code": 11000}
SHUTDOWN = {"index": 0, "code": 91, "errmsg": "Replication is being shut down"}
REFUSED = {"index": 0, "code": 121, "errmsg": "Document failed validation"}


class Server:
    """Says this of any command."""

    name = "documents"

    def __init__(self, failures: Sequence[object], concerns: Sequence[object]) -> None:
        self.error = BulkWriteError({"writeErrors": list(failures), "writeConcernErrors": list(concerns)})

    async def bulk_write(self, changes: Sequence[object], *, ordered: bool) -> None:
        raise self.error


async def write(failures: Sequence[object], concerns: Sequence[object] = ()) -> list[WriteFailure]:
    server: Any = Server(failures, concerns)
    return await database.write(server, [UpdateOne({"_id": 1}, {"$set": {"x": 1}}, upsert=True)])


@pytest.mark.parametrize(
    ("failures", "concerns"),
    [
        pytest.param([DUPLICATE], [], id="an upsert met another"),
        pytest.param([], [SHUTDOWN], id="it does not know whether they last"),
        pytest.param([DUPLICATE], [SHUTDOWN], id="both"),
        pytest.param([SHUTDOWN], [], id="it is being shut down"),
        pytest.param([{"index": 0, "code": 112}], [], id="two writers met"),
        pytest.param([{"index": 0, "code": 14031}], [], id="its disk is full"),
        pytest.param([DUPLICATE, REFUSED], [], id="one of two passes"),
    ],
)
async def test_what_passes_is_tried_again(failures: list[object], concerns: list[object]) -> None:
    with pytest.raises(database.TRANSIENT):
        await write(failures, concerns)


async def test_what_passes_is_told_without_what_was_to_be_written() -> None:
    """The driver's own text quotes the operations, and each try is logged."""
    with pytest.raises(database.Unsure) as unsure:
        await write([SHUTDOWN | {"op": {"q": {"_id": 1}, "u": {"message": "y" * 30}}}])
    assert str(unsure.value) == "MongoDB error 91: Replication is being shut down"
    assert "y" * 30 not in "".join(traceback.format_exception(unsure.value))


async def test_what_is_refused_is_no_matter_of_time() -> None:
    (refused,) = await write([REFUSED])
    assert (refused.index, refused.error) == (0, "MongoDB error 121: Document failed validation")


class Replying:
    """Says this of any insert."""

    name = "documents"

    def __init__(self, *codes: int) -> None:
        self.reply = {"writeErrors": [{"index": index, "code": code} for index, code in enumerate(codes)]}
        self.database = self

    async def command(self, _: object) -> object:
        return self.reply


async def test_a_document_that_fails_for_a_while_is_not_poison() -> None:
    server: Any = Replying(112, 14031, 121, 11000)
    conflict, full, invalid, repeat = await database.insert(server, [{"_id": n} for n in range(4)])
    assert (conflict.passing, full.passing, invalid.passing, repeat.passing) == (True, True, False, False)
    assert repeat.is_repeat


def test_the_table_has_whatever_the_driver_itself_tries_again() -> None:
    assert set(helpers_shared._RETRYABLE_ERROR_CODES) <= failures.PASSING


async def test_a_command_that_fails_for_a_while_is_tried_again() -> None:
    """The driver has no type for most of them."""

    @failures.asked
    async def release(code: int) -> None:
        raise OperationFailure("WriteConflict error", code)

    with pytest.raises(database.TRANSIENT):
        await release(112)
    with pytest.raises(OperationFailure):
        await release(121)


def test_a_single_write_that_may_not_last_is_tried_again() -> None:
    """Of a server that is being shut down: it ended gateways that renewed their lease just then."""
    assert issubclass(WriteConcernError, database.TRANSIENT)
