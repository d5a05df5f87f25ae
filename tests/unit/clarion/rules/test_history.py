"""The history of samples: what it keeps, for how long, and how a series ends."""

from clarion.rules.history import LOOKBACK_S, History, Sample
from clarion.rules.signals import Rate, Series, Signal, Value

UP = Series("up")


def at(seconds: float, history: History, *samples: Sample) -> None:
    history.add(seconds, samples)


def one(name: str, value: float, **labels: str) -> Sample:
    return Sample(name, labels, value)


def test_only_series_that_a_signal_reads_are_kept() -> None:
    signals: list[Signal] = [Value(UP), Rate(Series("sent_total", {"lane": "urgent"}), 60)]
    history = History(signals)
    at(0, history, one("up", 1), one("other", 1), one("sent_total", 5, lane="low"), one("sent_total", 5, lane="urgent"))
    assert sorted(history.names) == ["sent_total", "up"]
    assert len(history) == 2


def test_a_label_may_match_by_a_regular_expression() -> None:
    answers = Series("answers", {"status": "~5.."})
    history = History([Value(answers)])
    at(0, history, one("answers", 1, status="503"), one("answers", 2, status="5030"), one("answers", 3, status="202"))
    assert list(history.latest(answers, 0)) == [((("status", "503"),), 1.0)]


def test_samples_older_than_what_is_read_back_are_dropped() -> None:
    sent = Series("sent_total")
    history = History([Rate(sent, 60)])
    for second in range(0, 10_000, 5):
        at(second, history, one("sent_total", second))
    ((_, times, _),) = history.between(sent, 0, 10_000)
    assert len(times) <= 1.25 * (60 + 60) / 5 + 1
    assert times[0] <= 9_995 - 60


def test_a_series_that_is_missing_once_has_ended_at_once() -> None:
    history = History([Value(UP)])
    at(0, history, one("up", 1, instance="a"), one("up", 1, instance="b"))
    at(5, history, one("up", 1, instance="b"))
    assert dict(history.latest(UP, 5)) == {(("instance", "b"),): 1.0}
    at(10, history, one("up", 1, instance="a"), one("up", 1, instance="b"))
    assert len(dict(history.latest(UP, 10))) == 2


def test_a_series_that_ended_long_ago_makes_room() -> None:
    history = History([Value(UP)], most=1)
    at(0, history, one("up", 1, instance="a"))
    at(5, history, one("up", 1, instance="b"))
    assert (len(history), history.left_out) == (1, 1)
    for second in range(10, 500, 5):
        at(second, history, one("up", 1, instance="b"))
    assert dict(history.latest(UP, 495)) == {(("instance", "b"),): 1.0}
    assert (len(history), history.left_out) == (1, 0)


def test_an_old_sample_is_no_value_of_now() -> None:
    history = History([Value(UP)])
    at(0, history, one("up", 1))
    assert list(history.latest(UP, LOOKBACK_S - 1)) != []
    assert list(history.latest(UP, LOOKBACK_S)) == []


def test_gaps_are_left_out_of_a_range() -> None:
    sent = Series("sent_total")
    history = History([Rate(sent, 60)])
    at(0, history, one("sent_total", 1))
    at(5, history)
    at(10, history, one("sent_total", 3))
    ((_, times, values),) = history.between(sent, 0, 60)
    assert (list(times), list(values)) == ([0.0, 10.0], [1.0, 3.0])
