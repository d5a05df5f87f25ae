"""How much a connection is replayed is observed once, when all of its lanes are live."""

from functools import partial
from typing import Any, cast

from clarion.contracts.lanes import Lane
from clarion.telemetry import metrics
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem
from services.gateway.delivery.catchup import CatchUp
from services.gateway.delivery.read_scheduler import ReadScheduler
from tests.unit.counted import counted
from tests.unit.gateway.devices import device


def total() -> float:
    return sum(
        sample.value
        for family in metrics.replay_items.collect()
        for sample in family.samples
        if sample.name.endswith("_sum")
    )


def test_the_size_of_a_replay_is_observed_when_it_has_ended() -> None:
    catch_up = CatchUp(cast(Any, None), lambda: None, ReadScheduler(1_000))
    ann, _ = device(live=False)
    ann.state = ConnectionState.PRESENT
    before, sum_before = counted(metrics.replay_items), total()
    feed = ann.feed
    while issued := feed.next_read():
        assert counted(metrics.replay_items) == before
        count = 0 if issued.lane is Lane.LOW else 3  # the last read finds nothing more
        found = [OutgoingItem(f"{issued.lane}-{n}", issued.lane, n, b"{}") for n in range(1, 1 + count)]
        catch_up._send(ann, partial(feed.found, issued, found))
    assert feed.is_live
    assert (counted(metrics.replay_items), total()) == (before + 1, sum_before + 9)
    assert feed.replayed == 0
