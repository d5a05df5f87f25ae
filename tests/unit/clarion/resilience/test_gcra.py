"""GCRA against a bucket that is simulated: the same verdict on every request, in bounded memory."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from clarion.resilience.gcra import RateLimit


class Bucket:
    """The plain way: fill by elapsed time, take what is there. Exact."""

    def __init__(self, rate: int, burst: int) -> None:
        self.rate, self.burst, self.tokens, self.at = rate, burst, Fraction(burst), Fraction(0)

    def take(self, now: Fraction, tokens: int) -> bool:
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.at) * self.rate)
        self.at = now
        if tokens > self.tokens:
            return False
        self.tokens -= tokens
        return True


@given(
    st.sampled_from([1, 2, 8, 64]),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 5)), max_size=60),
)
def test_agrees_with_a_bucket(rate: int, burst: int, requests: list[tuple[int, int]]) -> None:
    limit, bucket = RateLimit(rate, burst), Bucket(rate, burst)
    now = Fraction(0)
    for pause, tokens in requests:
        now += Fraction(pause, 128)  # exact in binary
        wait = limit.take("ann", float(now), tokens)
        if tokens > burst:
            assert wait == float("inf")
            continue
        assert (wait == 0) == bucket.take(now, tokens)
        if wait:
            # not a moment before, and then it is there
            assert bucket.tokens + Fraction(wait) * rate >= tokens - Fraction(1, 1000)
            assert bucket.tokens + Fraction(wait) * rate <= tokens + Fraction(1, 1000)


def test_keys_do_not_share_and_an_earlier_time_gains_nothing() -> None:
    limit = RateLimit(10, 2)
    assert [limit.take("ann", 5.0) for _ in range(2)] == [0, 0]
    assert limit.take("bob", 5.0) == 0
    assert limit.take("ann", 5.0) > 0
    assert limit.take("ann", 4.9) > 0


@given(st.lists(st.integers(0, 200), max_size=400))
def test_keys_are_bounded_and_full_buckets_are_forgotten_first(keys: list[int]) -> None:
    limit = RateLimit(1, 5, most_keys=20)
    for now, key in enumerate(keys):
        limit.take(f"key-{key}", now / 8)
        assert len(limit) <= 20
    limit.clear()
    assert len(limit) == 0


def test_only_live_keys_are_counted_as_forgotten() -> None:
    limit = RateLimit(1, 5, most_keys=10)
    for number in range(100):
        limit.take(f"key-{number}", number * 10.0)  # each is full again before the next comes
    assert limit.forgotten == 0
    for number in range(100):
        limit.take(f"busy-{number}", 2_000.0)
    assert limit.forgotten > 0
