"""What makes a replica set: its members, and an end when there is no primary."""

import pytest

from deploy.docker.inside.replica_set import NoPrimary, configuration, wait


def test_the_first_member_is_the_primary_if_it_can_be() -> None:
    made = configuration(["a:1", "b:2", "c:3"])
    assert [(member["_id"], member["host"]) for member in made["members"]] == [(0, "a:1"), (1, "b:2"), (2, "c:3")]
    priorities = [member["priority"] for member in made["members"]]
    assert priorities[0] > max(priorities[1:])


def test_a_server_that_is_away_is_named_in_time() -> None:
    with pytest.raises(NoPrimary, match=r"127\.0\.0\.1:1 have no primary after 0\.5 s"):
        wait(["127.0.0.1:1"], within_s=0.5)
