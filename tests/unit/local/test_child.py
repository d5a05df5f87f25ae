"""Words for how a process ended."""

from deploy.local.child import describe


def test_how_a_process_ended_is_said_in_words() -> None:
    assert describe(1) == "ended with code 1"
    assert describe(-9) == "was ended by SIGKILL"
