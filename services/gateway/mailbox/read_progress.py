"""Until when a mailbox's partition is known to have been read to its end. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class ReadProgress:
    """`until_ms` is None while that was never so. Times are milliseconds of any clock that only grows.

    A consumer asks for more only once it was answered. So an answer knows at least all that was there when the answer
    before it came, however long it was on its way, and however long its reader slept (D-since-answer). While no answers
    come, because Kafka cannot be reached, nothing is known of what is new.
    """

    until_ms: int | None = None
    _answered_ms: int | None = None

    def look(self, answered_ms: int | None, is_at_end: bool) -> None:
        """The latest answer came at `answered_ms`; whether everything up to the end that it told of is handled."""
        if answered_ms is None or answered_ms == self._answered_ms:
            return
        before, self._answered_ms = self._answered_ms, answered_ms
        if is_at_end and before is not None:
            self.until_ms = before
