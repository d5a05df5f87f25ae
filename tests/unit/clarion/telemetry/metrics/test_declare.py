"""A subject's metrics are exported by the processes that have something to say about them, and not by others."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from clarion.telemetry.metrics import declare
from clarion.telemetry.metrics.declare import Subject
from clarion.telemetry.metrics.labels import Label

COLOUR = Label("colour", ("red", "blue"))
ANY = Label("name", bound="whatever there is")


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    """What this process exports."""
    registry = CollectorRegistry(auto_describe=True)
    monkeypatch.setattr(declare, "REGISTRY", registry)
    return registry


def lines(registry: CollectorRegistry) -> list[str]:
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if not line.startswith("#") and "_created" not in line]


def test_a_subject_is_exported_once_and_only_if_asked(exported: CollectorRegistry) -> None:
    subject = Subject("Test", "Words.")
    subject.gauge("test_free", "Words", unit="mailboxes", remedy="Words.").set(3)
    assert lines(exported) == []
    subject.export()
    subject.export()
    assert lines(exported) == ["test_free 3.0"]


def test_counters_begin_at_0_for_each_value_of_their_labels(exported: CollectorRegistry) -> None:
    subject = Subject("Test", "Words.")
    subject.counter("test_slow", "Words", COLOUR, unit="items", remedy="Words.")
    subject.fast_counter("test_fast", "Words", COLOUR, unit="items", remedy="Words.")
    subject.counter("test_named", "Words", ANY, unit="items", remedy="Words.")
    subject.gauge("test_gauge", "Words", COLOUR, unit="items", remedy="Words.")
    subject.export()
    assert lines(exported) == [
        'test_slow_total{colour="red"} 0.0',
        'test_slow_total{colour="blue"} 0.0',
        'test_fast_total{colour="red"} 0.0',
        'test_fast_total{colour="blue"} 0.0',
    ]


def test_a_process_of_one_lane_begins_only_its_own_counters(exported: CollectorRegistry) -> None:
    subject = Subject("Test", "Words.")
    subject.counter("test_slow", "Words", COLOUR, unit="items", remedy="Words.")
    subject.export(colour="blue")
    assert lines(exported) == ['test_slow_total{colour="blue"} 0.0']


def test_a_name_is_declared_once() -> None:
    subject = Subject("Test", "Words.")
    subject.counter("test_slow", "Words", unit="items", remedy="Words.")
    with pytest.raises(ValueError, match="test_slow is declared twice"):
        subject.gauge("test_slow", "Words", unit="items", remedy="Words.")


def test_a_reading_is_gone_once_it_is_cleared(exported: CollectorRegistry) -> None:
    subject = Subject("Test", "Words.")
    free = subject.reading("test_free", "Words", unit="mailboxes", remedy="Words.")
    pending = subject.reading("test_pending", "Words", COLOUR, unit="items", remedy="Words.")
    subject.export()
    assert lines(exported) == []
    free.set(0)
    pending.tell({("red",): 1, ("blue",): 2})
    assert lines(exported) == ["test_free 0.0", 'test_pending{colour="red"} 1.0', 'test_pending{colour="blue"} 2.0']
    free.clear()
    pending.tell({("red",): 5})
    assert lines(exported) == ['test_pending{colour="red"} 5.0']
