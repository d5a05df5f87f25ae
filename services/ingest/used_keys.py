"""Remember what the latest idempotency keys were used for, to refuse another use while its sender still listens.

Only what this process has accepted is remembered, and only the latest. The lane finds the other conflicts, and tells
the sender by a receipt `dead`.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from clarion.contracts.api.problems import FieldError
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.telemetry import metrics

MOST: Final = 100_000  # about 20 MB
_DIGEST_BYTES: Final = 8  # enough against accidents; a sender that forges a digest deceives only itself


class UsedKeys:
    """The ids that were derived from a key, each with a digest of what was published under it."""

    def __init__(self, most: int = MOST) -> None:
        self._most: Final = most
        self._used: Final[dict[bytes, bytes]] = {}

    def __len__(self) -> int:
        return len(self._used)

    def conflict(self, item: Notification) -> FieldError | None:
        """Return why `item` may not be published under its key; None when it may, the first time or again."""
        name, digest = _entry(item)
        if self._used.get(name, digest) == digest:
            return None
        detail = f"this Idempotency-Key was used for other content, as {item.id}: repeat that, or take another key"
        return FieldError("", "key_reused", detail)

    @contextmanager
    def using(self, items: Sequence[Notification]) -> Generator[None]:
        """Remember `items` while and after they are published.

        They are forgotten when the block raises, since nothing was sent then.
        """
        entries = [_entry(item) for item in items]
        fresh = [(name, digest) for name, digest in entries if name not in self._used]
        self._used.update(fresh)
        while len(self._used) > self._most:
            del self._used[next(iter(self._used))]
        metrics.remembered_keys.set(len(self._used))
        try:
            yield
        except BaseException:
            for name, _ in fresh:
                self._used.pop(name, None)
            raise


def _entry(item: Notification) -> tuple[bytes, bytes]:
    return UUID(item.id).bytes, notification.digest(item)[:_DIGEST_BYTES]
