"""Holds what the current lease gives to the rest of the gateway; it is empty while there is no lease."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from services.gateway.mailbox.reader import MailboxReader
from services.gateway.mailbox.session_writer import SessionWriter


@dataclass(slots=True)
class HeldMailbox:
    """Holds the reader of the mailbox and the session writer: both, or neither.

    `deployment` is the id of the deployment that the store belongs to; positions that a client kept for another one do
    not count.
    """

    reader: MailboxReader | None = None
    session_writer: SessionWriter | None = None
    deployment: str = ""

    @contextmanager
    def by(self, reader: MailboxReader, session_writer: SessionWriter, deployment: str) -> Generator[None]:
        """Hold them for as long as the block runs. While nothing is held, clients are refused."""
        self.reader, self.session_writer, self.deployment = reader, session_writer, deployment
        try:
            yield
        finally:
            self.reader = self.session_writer = None

    def caught_up(self) -> datetime | None:
        """Return the time up to which the mailbox was read to its end.

        None while no mailbox is held, and until that is known for the first time.
        """
        return self.reader.caught_up() if self.reader else None

    def waiting(self) -> str:
        """Return which open transaction the mailbox waits for; empty when it waits for none."""
        return self.reader.waiting() if self.reader else ""
