"""What a fault has to explain, and what has to be over after it."""

from tests.observe.asking import Alert
from tests.observe.course import loud, unexplained
from tests.observe.faults import FAULTS, TOGETHER

POISON = {"poison": FAULTS["a poison record sent"]}
STOPPED = {"stopped": FAULTS["mongod stopped"]}


def alert(rule: str, severity: str = "critical", *, is_quiet: bool = False) -> Alert:
    return Alert(rule, severity, {}, is_quiet)


def test_a_fault_explains_its_own_page_and_what_follows_from_it() -> None:
    assert unexplained({"dependency-down", "breaker-open", "delivery-budget-burns"}, set(), STOPPED) == set()


def test_another_page_is_not_explained() -> None:
    assert unexplained({"dependency-down", "unaccounted"}, set(), STOPPED) == {"unaccounted"}
    assert unexplained({"delivery-budget-burns"}, set(), POISON) == {"delivery-budget-burns"}


def test_a_busy_machine_explains_late_deliveries() -> None:
    assert unexplained({"delivery-budget-burns"}, {"event-loop-slow"}, POISON) == set()


def test_faults_made_at_once_explain_together() -> None:
    assert unexplained({"dependency-down"}, set(), POISON | STOPPED) == set()


def test_only_what_calls_somebody_at_once_is_a_page() -> None:
    assert alert("stalled-lane").is_page
    assert not alert("stalled-lane", is_quiet=True).is_page
    assert not alert("sender-flood", "warning").is_page


def test_tickets_of_objectives_need_not_end_and_their_pages_do() -> None:
    ticket, page = alert("delivery-budget-burns", "warning"), alert("delivery-budget-burns")
    assert loud([ticket, page, alert("event-loop-slow", "warning")]) == [page]


def test_a_short_run_makes_every_fault_once() -> None:
    assert sorted(name for together in TOGETHER for name in together) == sorted(FAULTS)
