"""The table of troubles: its texts are complete, and its signals read series that there are, by labels that meet."""

import re
from typing import assert_never

import pytest

from clarion.rules.objectives import OBJECTIVES, Objective
from clarion.rules.rule import Rule
from clarion.rules.signals import (
    Added,
    Changes,
    Combined,
    Distance,
    Either,
    Extreme,
    Provided,
    Quantile,
    Rate,
    Ratio,
    Remainder,
    Series,
    Signal,
    Slope,
    Value,
    inner,
)
from clarion.rules.troubles import TROUBLES
from tests.unit.clarion.rules.catalogue import known

KNOWN = known()
# those of the target, which Prometheus adds
TARGET = {"instance"}


def labels(signal: Signal) -> frozenset[str]:
    """The labels that a signal's values have; what is matched has to have the same ones."""
    match signal:
        case Added(series=series, labels=own):
            assert set(own) == KNOWN[series.name].labels, signal
            return KNOWN[series.name].labels | TARGET
        case Value(series=series) | Rate(series=series) | Slope(series=series):
            return KNOWN[series.name].labels | TARGET
        case Extreme(series=series) | Changes(series=series):
            return KNOWN[series.name].labels | TARGET
        case Quantile(away=away):
            return (KNOWN[signal.buckets().name].labels | TARGET) - {*away, "le"}
        case Combined(of=of, away=away):
            return labels(of) - set(away)
        case Remainder(of=of) | Distance(of=of):
            return labels(of)
        case Ratio(of=of, to=to) | Provided(of=of, there_is=to):
            assert labels(of) == labels(to), signal
            return labels(of)
        case Either(signals=signals):
            assert len({labels(one) for one in signals}) == 1, signal
            return labels(signals[0])
        case _:
            assert_never(signal)


def read(signal: Signal) -> list[tuple[Series, str]]:
    """Each series that a signal reads, and what kind of metric it has to be."""
    match signal:
        case Rate(series=series) | Added(series=series):
            return [(series, "counter")]
        case Slope(series=series) | Extreme(series=series) | Changes(series=series):
            return [(series, "gauge")]
        case Value(series=series):
            return [(series, "")]
        case Quantile():
            return [(signal.buckets(), "counter")]
        case _:
            return [one for of in inner(signal) for one in read(of)]


def signals(rule: Rule | Objective) -> list[Signal]:
    if isinstance(rule, Objective):
        return [rule.bad_share(300), rule.events(300)]
    return [rule.signal, *([rule.volume.of] if rule.volume else [])]


EACH = pytest.mark.parametrize("rule", [*TROUBLES, *OBJECTIVES], ids=lambda rule: rule.id)


def test_each_trouble_is_in_the_table_once() -> None:
    ids = [rule.id for rule in (*TROUBLES, *OBJECTIVES)]
    assert len(ids) == len(set(ids))
    assert len(ids) > 35


@EACH
def test_its_anchor_is_its_title_as_a_page_makes_it(rule: Rule | Objective) -> None:
    assert re.sub(r"[^\w\- ]", "", rule.title.lower()).replace(" ", "-") == rule.id


@EACH
def test_its_texts_are_sentences_without_templates(rule: Rule | Objective) -> None:
    assert not rule.what.endswith(".")
    for text in (rule.cause, rule.cure):
        assert text[0].isupper() or text.startswith(("`", "4", "5"))
        assert text.endswith(".")
        assert "{{" not in text
        assert "  " not in text


@EACH
def test_its_sentence_names_only_labels_that_it_has(rule: Rule | Objective) -> None:
    named = set(re.findall(r"\{(\w+)\}", rule.what)) - {"value"}
    assert named <= labels(signals(rule)[0])


@EACH
def test_its_signals_read_series_that_there_are(rule: Rule | Objective) -> None:
    for signal in signals(rule):
        for series, kind in read(signal):
            found = KNOWN[series.name]
            assert kind in ("", found.kind) or series.name.startswith("clarion_logs_dropped"), series
            assert set(series.where) <= found.labels, series


@EACH
def test_its_volume_has_the_labels_of_its_signal(rule: Rule | Objective) -> None:
    assert len({labels(signal) for signal in signals(rule)}) == 1


@pytest.mark.parametrize("rule", TROUBLES, ids=lambda rule: rule.id)
def test_it_ends_no_sooner_than_it_begins(rule: Rule) -> None:
    fires, clears = rule.threshold.fires_at, rule.threshold.clears_at
    assert clears >= fires if rule.threshold.is_below else clears <= fires
