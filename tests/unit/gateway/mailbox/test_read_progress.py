"""A mailbox is read to its end as of when its consumer asked, not as of when it looks."""

from services.gateway.mailbox.read_progress import ReadProgress


def test_an_answer_is_good_for_when_the_one_before_it_came() -> None:
    end = ReadProgress()
    end.look(None, True)
    end.look(1_000, True)
    assert end.until_ms is None
    end.look(1_500, True)
    assert end.until_ms == 1_000


def test_what_is_not_handled_yet_is_not_read_to_the_end() -> None:
    end = ReadProgress()
    for answered_ms, is_at_end in ((1_000, True), (1_500, True), (2_000, False), (2_500, False)):
        end.look(answered_ms, is_at_end)
    assert end.until_ms == 1_000
    end.look(3_000, True)
    assert end.until_ms == 2_500


def test_while_kafka_does_not_answer_no_time_passes() -> None:
    """Its last answer says for ever that there is nothing new: `since` would pass what was emitted meanwhile."""
    end = ReadProgress()
    for answered_ms in (1_000, 1_500, *[1_500] * 100):
        end.look(answered_ms, True)
    assert end.until_ms == 1_000


def test_an_answer_slept_over_says_nothing_of_the_sleep() -> None:
    end = ReadProgress()
    end.look(1_000, True)
    end.look(3_600_000, True)
    assert end.until_ms == 1_000
