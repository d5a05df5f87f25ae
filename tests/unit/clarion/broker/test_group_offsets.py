"""What a coordinator tells of a group's commits, and what it does not know is an error and not "none"."""

from types import SimpleNamespace

import pytest
from aiokafka.errors import CoordinatorLoadInProgressError, GroupAuthorizationFailedError

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.group_offsets import Commit, commit_metadata, commits_of


def test_commits_have_generations_and_what_has_none_is_absent() -> None:
    some = [(0, 7, commit_metadata(2), 0), (1, -1, "", 0), (2, 9, None, 0)]
    answer = SimpleNamespace(error_code=0, topics=[("t", some)])
    assert commits_of(answer, "g") == {Partition("t", 0): Commit(7, 2), Partition("t", 2): Commit(9)}


def test_a_starting_coordinator_is_not_one_without_commits() -> None:
    answer = SimpleNamespace(error_code=CoordinatorLoadInProgressError.errno, topics=[])
    with pytest.raises(CoordinatorLoadInProgressError, match="of the consumer group g are not known"):
        commits_of(answer, "g")


def test_an_error_of_one_partition_is_raised() -> None:
    topics = [("t", [(0, 7, "", 0), (1, -1, "", GroupAuthorizationFailedError.errno)])]
    with pytest.raises(GroupAuthorizationFailedError):
        commits_of(SimpleNamespace(error_code=0, topics=topics), "g")
