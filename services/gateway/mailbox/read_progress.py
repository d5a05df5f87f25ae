"""Tells the time up to which a partition of the mailbox was read to its end. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class ReadProgress:
    """Keeps the time up to which everything in a partition was read: `until_ms`.

    It is None until that is known for the first time. Times are milliseconds of any clock that never goes back. A
    consumer asks for more only once its last question was answered. So an answer knows at least what was there when the
    answer before it came, however long it was on its way and however long its reader slept (D-since-answer). While no
    answers come, because Kafka cannot be reached, `until_ms` stays.
    """

    until_ms: int | None = None
    _answered_ms: int | None = None

    def look(self, answered_ms: int | None, is_at_end: bool) -> None:
        """Note the latest answer, which came at `answered_ms`.

        `is_at_end` says whether everything up to the end that it named is handled.
        """
        if answered_ms is None or answered_ms == self._answered_ms:
            return
        before, self._answered_ms = self._answered_ms, answered_ms
        if is_at_end and before is not None:
            self.until_ms = before
