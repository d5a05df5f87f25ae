from clarion.contracts.lanes import Lane
from clarion.operating.bench.figures import Tally, report


def tally(lane: Lane = Lane.URGENT, count: int = 100, latency: float = 0.1) -> Tally:
    made = Tally(published=dict.fromkeys(range(count), lane), accepted=set(range(count)))
    for number in range(count):
        made.arrived(number, latency)
    return made


def test_a_load_within_the_objectives_meets_them() -> None:
    found = report(tally(), seconds=10)
    assert found.is_met
    assert (found.rate, found.repeats) == (10, 0)
    assert [lane.published for lane in found.lanes] == [100, 0, 0, 0]


def test_quantiles_are_of_the_lane_alone() -> None:
    made = tally(latency=0)
    made.latencies = {number: number / 100 for number in range(100)}
    urgent = report(made, 10).lanes[0]
    assert (urgent.p50, urgent.p95, urgent.p99, urgent.worst) == (0.49, 0.94, 0.98, 0.99)
    assert not urgent.is_met
    assert report(made, 10).lanes[3].p99 is None


def test_a_lane_that_is_too_slow_misses() -> None:
    assert not report(tally(Lane.URGENT, latency=0.3), 10).is_met
    assert report(tally(Lane.HIGH, latency=0.3), 10).is_met


def test_what_was_accepted_and_did_not_arrive_is_lost() -> None:
    made = tally()
    del made.latencies[3]
    assert made.missing() == {3}
    found = report(made, 10)
    assert (found.lanes[0].lost, found.is_met) == (1, False)


def test_what_was_not_accepted_is_no_loss_and_misses() -> None:
    made = tally()
    made.accepted.discard(3)
    del made.latencies[3]
    made.errors += ["refused", "refused"]
    found = report(made, 10)
    assert (found.lanes[0].lost, found.is_met, found.errors) == (0, False, ["refused"])


def test_a_repeat_is_counted_and_its_first_arrival_counts() -> None:
    made = tally()
    made.arrived(3, 99)
    found = report(made, 10)
    assert (made.latencies[3], found.repeats, found.is_met) == (0.1, 1, False)
