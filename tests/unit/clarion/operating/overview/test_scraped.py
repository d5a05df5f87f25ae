"""All processes as one scrape: processes stay apart, and one that is silent is down."""

from clarion.operating.overview.scraped import instances, scraped
from clarion.operating.samples import Sample
from tests.unit.clarion.operating.overview.saying import process, silent


def test_processes_of_one_name_are_told_apart_by_address() -> None:
    views = [process("gateway", "gateway"), process("gateway", "gateway", port=9401), process("low", "stream-low")]
    assert instances(views) == ["gateway at 10.0.0.1:9400", "gateway at 10.0.0.1:9401", "low"]


def test_samples_have_their_process_as_instance() -> None:
    view = process("low", "stream-low", {"wanted": [Sample({"lane": "low"}, 3.0)], "other": [Sample({}, 1.0)]})
    found = list(scraped([view], frozenset({"wanted", "missing"})))
    assert found == [("up", {"instance": "low"}, 1.0), ("wanted", {"lane": "low", "instance": "low"}, 3.0)]


def test_a_silent_process_is_down() -> None:
    assert list(scraped([silent("low")], frozenset({"wanted"}))) == [("up", {"instance": "low"}, 0.0)]
