"""What the running processes export is what the catalogue declares, with the labels and values that it names."""

from collections.abc import Iterator

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from clarion.client import HttpPublisher
from clarion.telemetry import metrics
from clarion.telemetry.metrics.declare import Declared
from deploy.local.stack import Stack

DECLARED = {declared.name: declared for subject in metrics.CATALOGUE for declared in subject.declared}
ADDED = {"le"}  # by histograms


async def scraped(port: int) -> str:
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
        return (await http.get(f"http://127.0.0.1:{port}/metrics")).text


def wrong(text: str) -> Iterator[str]:
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("clarion_"):
            continue
        declared = DECLARED.get(family.name)
        if declared is None or declared.kind != family.type:
            yield f"{family.name}, a {family.type}, is not declared"
            continue
        for sample in family.samples:
            yield from _wrong_labels(declared, sample.name, sample.labels)


def _wrong_labels(declared: Declared, name: str, labels: dict[str, str]) -> Iterator[str]:
    expected = {label.name: label for label in declared.labels}
    if set(labels) - ADDED != set(expected):
        yield f"{name} has the labels {sorted(labels)}"
        return
    for label, value in labels.items():
        if label in expected and expected[label].values and value not in expected[label].values:
            yield f"{name} has {label}={value}"


async def test_each_process_exports_what_is_declared(stack: Stack, publisher: HttpPublisher, user: str) -> None:
    await publisher.publish(recipient=user, type="t", message="one")
    for spec in stack.specs:
        text = await scraped(stack.ports[spec.admin])
        assert list(wrong(text)) == [], spec.name
        assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize(
    ("process", "has", "has_not"),
    [
        ("ingest", "clarion_accepted_total", "clarion_mailbox_epoch"),
        ("urgent", "clarion_unstored_total", "clarion_scheduled_total"),
        ("scheduler", "clarion_scheduled_total", "clarion_mailbox_epoch"),
        ("gateway-1", "clarion_mailbox_epoch", "clarion_mailboxes_free"),
        ("observer", "clarion_looks_failed_total", "clarion_receipts_buffered"),
    ],
)
async def test_a_process_exports_only_its_subjects(stack: Stack, process: str, has: str, has_not: str) -> None:
    text = await scraped(stack.ports[f"{process}-admin"])
    assert f"\n{has}" in text
    assert has_not not in text
