"""The timing wheel against a dictionary: nothing early, nothing lost, nothing twice."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.gateway.access.timing_wheel import TimingWheel


class Turns(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wheel: TimingWheel[int] = TimingWheel()
        self.due: dict[int, float] = {}
        self.now = 100.0

    @rule(item=st.integers(0, 9), after_s=st.floats(-5, 40))
    def put(self, item: int, after_s: float) -> None:
        self.wheel.put(item, self.now + after_s)
        self.due[item] = max(self.now, self.now + after_s)

    @rule(item=st.integers(0, 9))
    def discard(self, item: int) -> None:
        self.wheel.discard(item)
        self.due.pop(item, None)

    @rule(pause_s=st.sampled_from([0.0, 0.3, 1.0, 1.7, 60.0, 86_400.0]))
    def take_due(self, pause_s: float) -> None:
        self.now += pause_s
        found = self.wheel.take_due(self.now)
        assert len(found) == len(set(found))
        for item in found:
            assert self.due.pop(item) <= self.now, "never before its time"
        # at most two seconds late: the second it is due in, and one that had begun when it was put
        assert all(at > self.now - 2 for at in self.due.values())

    @invariant()
    def knows_as_many(self) -> None:
        assert len(self.wheel) == len(self.due)


TestTurns = Turns.TestCase


def test_putting_again_moves() -> None:
    wheel: TimingWheel[str] = TimingWheel()
    wheel.put("ping", 5)
    wheel.put("ping", 9)
    assert wheel.take_due(7) == []
    assert wheel.take_due(10) == ["ping"]
    assert wheel.take_due(11) == []
