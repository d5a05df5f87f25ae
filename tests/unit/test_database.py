"""Which of MongoDB's errors pass by themselves: whoever takes one for fatal ends a process that could have waited."""

from collections.abc import Sequence
from typing import Any

import pytest
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, WriteConcernError

from clarion.store import database

DUPLICATE = {"index": 0, "code": 11000}
SHUTDOWN = {"index": 0, "code": 91, "errmsg": "Replication is being shut down"}
REFUSED = {"index": 0, "code": 121, "errmsg": "Document failed validation"}


class Server:
    """Says this of any command."""

    def __init__(self, failures: Sequence[object], concerns: Sequence[object]) -> None:
        self.error = BulkWriteError({"writeErrors": list(failures), "writeConcernErrors": list(concerns)})

    async def bulk_write(self, changes: Sequence[object], *, ordered: bool) -> None:
        raise self.error


async def write(failures: Sequence[object], concerns: Sequence[object] = ()) -> None:
    server: Any = Server(failures, concerns)
    await database.write(server, [UpdateOne({"_id": 1}, {"$set": {"x": 1}}, upsert=True)])


@pytest.mark.parametrize(
    ("failures", "concerns"),
    [
        pytest.param([DUPLICATE], [], id="an upsert met another"),
        pytest.param([], [SHUTDOWN], id="it does not know whether they last"),
        pytest.param([DUPLICATE], [SHUTDOWN], id="both"),
        pytest.param([SHUTDOWN], [], id="it is being shut down"),
    ],
)
async def test_what_passes_is_tried_again(failures: list[object], concerns: list[object]) -> None:
    with pytest.raises(database.TRANSIENT):
        await write(failures, concerns)


async def test_what_is_refused_is_no_matter_of_time() -> None:
    with pytest.raises(BulkWriteError):
        await write([DUPLICATE, REFUSED])


def test_a_single_write_that_may_not_last_is_tried_again() -> None:
    """Of a server that is being shut down: it ended gateways that renewed their lease just then."""
    assert issubclass(WriteConcernError, database.TRANSIENT)
