"""Troubles are told once, whoever sees them, the most severe first."""

from datetime import UTC, datetime

from clarion.operating.overview.troubles import judged_by_the_whole, open_troubles
from clarion.rules.troubles import TROUBLES
from clarion.rules.watch import Finding
from tests.unit.clarion.operating.overview.saying import finding, process

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
BY_ID = {rule.id: rule for rule in TROUBLES}
TITLES = {rule.id: rule.title for rule in TROUBLES}


def test_what_several_processes_see_is_one_trouble() -> None:
    down = finding("dependency-down", "critical", dependency="mongodb")
    views = [
        process("low", "stream-low", figures={"findings": [down, finding("cpu-saturated")]}),
        process("high", "stream-high", figures={"findings": [{**down, "for_s": 90.0}]}),
    ]
    first, second = open_troubles(views, [], TITLES, 0.0, AT)
    assert (first.title, first.seen_by, first.since) == ("Dependency down", ["high", "low"], "2026-11-30T11:58:30.000Z")
    assert (second.rule, second.seen_by, second.severity) == ("cpu-saturated", ["low"], "warning")


def test_other_labels_are_other_troubles() -> None:
    down = [finding("dependency-down", "critical", dependency=one) for one in ("kafka", "mongodb")]
    found = open_troubles([process("low", "stream-low", figures={"findings": down})], [], TITLES, 0.0, AT)
    assert len(found) == 2


def test_the_wholes_word_goes_before_that_of_a_process() -> None:
    view = process("ingest", "ingest", figures={"findings": [finding("sender-flood")]})
    whole = Finding(BY_ID["sender-flood"], {}, 12.0, 970.0)
    (trouble,) = open_troubles([view], [whole], TITLES, 1000.0, AT)
    assert "12 a second" in trouble.what
    assert (trouble.seen_by, trouble.since) == (["ingest"], "2026-11-30T11:59:00.000Z")  # the earlier of both


def test_a_process_that_is_gone_is_named() -> None:
    gone = Finding(BY_ID["process-gone"], {"instance": "low"}, 0.0, 900.0)
    (trouble,) = open_troubles([], [gone], TITLES, 1000.0, AT)
    assert trouble.seen_by == ["low"]
    assert "The process low does not answer" in trouble.what


def test_the_same_trouble_of_several_processes_is_told_once() -> None:
    found = [Finding(BY_ID["restarts"], {"instance": name}, 3.0, 900.0) for name in ("low", "high")]
    (trouble,) = open_troubles([], found, TITLES, 1000.0, AT)
    assert trouble.seen_by == ["high", "low"]


def test_findings_of_another_form_are_passed_over() -> None:
    views = [process("low", "stream-low", figures={"findings": [{"rule": 7}]}), process("high", "stream-high")]
    assert open_troubles(views, [], TITLES, 0.0, AT) == []


def test_the_whole_judges_what_is_about_all_processes() -> None:
    judged = {rule.id for rule in TROUBLES if judged_by_the_whole(rule)}
    assert {"process-gone", "restarts", "sender-flood", "mailboxes-running-out"} <= judged
    assert not judged & {"cpu-saturated", "file-descriptors-short", "breaker-open", "dependency-down"}
