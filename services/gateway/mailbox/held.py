"""What the lease that is held now gives to the rest of the gateway. It is empty while there is none."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from services.gateway.mailbox.reader import MailboxReader
from services.gateway.mailbox.session_writer import SessionWriter


@dataclass(slots=True)
class HeldMailbox:
    """`reader` reads the mailbox, `session_writer` tells the stream who is here: both, or neither.

    `deployment` is the id of the deployment that the store belongs to: a client's positions are of no other one.
    """

    reader: MailboxReader | None = None
    session_writer: SessionWriter | None = None
    deployment: str = ""

    @contextmanager
    def by(self, reader: MailboxReader, session_writer: SessionWriter, deployment: str) -> Generator[None]:
        """Hold it for as long as the block runs. Without it sockets are refused."""
        self.reader, self.session_writer, self.deployment = reader, session_writer, deployment
        try:
            yield
        finally:
            self.reader = self.session_writer = None

    def caught_up(self) -> datetime | None:
        """Return until when all that was sent to the mailbox has been read; None when that is not known."""
        return self.reader.caught_up() if self.reader else None

    def waiting(self) -> str:
        """Return for whose open transaction the mailbox waits; empty while for nobody's."""
        return self.reader.waiting() if self.reader else ""
