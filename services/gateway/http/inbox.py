"""The inbox over HTTP: pages, the unread count, and marks.

A mark is stored first and then told on `receipts`. Only the receipts role tells a user's devices, one change after the
other, so that no device is left with a count from before the last change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS, send_all
from clarion.contracts import limits, times
from clarion.contracts.api.inbox import EncodedPage, PageCursor, ReadAll, Unread, encode_cursor, encoded_item
from clarion.contracts.records import receipts
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.store.queries import inbox
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from clarion.telemetry import metrics
from clarion.telemetry.health import Dependency
from clarion.web.problem_responses import Refused
from clarion.web.stored import asking
from services.gateway.receipts.sender import ReceiptSender

log = structlog.get_logger()

TELL_S = 2.0  # for Kafka to take a receipt while its caller waits


@dataclass(frozen=True, slots=True)
class Inbox:
    """Answers what callers ask of their inbox.

    Every method raises `Unavailable` when MongoDB does not answer. While Kafka is away the inbox works, and other
    devices are told of marks later.
    """

    stored: Collection
    mongodb: Dependency
    kafka: Dependency
    producer: AIOKafkaProducer
    names: Names
    receipt_sender: ReceiptSender

    async def page(
        self, user: str, *, unread_only: bool, archived: bool, after: PageCursor | None, limit: int
    ) -> EncodedPage:
        """Return a page of a user's inbox, newest first, from `after` on; a page of large items may be shorter."""
        with asking(self.mongodb):
            page = await inbox.page(
                self.stored,
                user,
                unread_only=unread_only,
                archived=archived,
                after=after,
                limit=limit,
                most_bytes=limits.INBOX_PAGE_BYTES,
                now=times.now(),
            )
        items = [encoded_item(item.body, unread=item.unread) for item in page.items]
        return EncodedPage(items, encode_cursor(page.items[-1].page_cursor) if page.has_more else None)

    async def unread(self, user: str) -> Unread:
        """Return a user's unread count."""
        with asking(self.mongodb):
            return Unread(await notifications.unread(self.stored, user))

    async def mark(self, user: str, op: Op, ids: Sequence[str]) -> Unread:
        """Mark those of `ids` that are in the user's inbox, and return the new count. Repeating it does no harm."""
        with asking(self.mongodb):
            await self._store(user, op, ids)
        return await self.unread(user)

    async def read_all(self, user: str) -> ReadAll:
        """Mark what is unread as read, the newest first, and return the new count.

        It does a bounded number of bounded batches; the answer says whether there is more.
        """
        more = False
        with asking(self.mongodb):
            for _ in range(limits.READ_ALL_BATCHES):
                ids = await inbox.unread_ids(self.stored, user, limits.IDS_PER_FRAME)
                if ids:
                    await self._store(user, Op.READ, ids)
                more = len(ids) == limits.IDS_PER_FRAME
                if not more:
                    break
        return ReadAll((await self.unread(user)).unread, more)

    async def _store(self, user: str, op: Op, ids: Sequence[str]) -> None:
        """Store a mark, and have the user's devices told. Raises `Refused` (422) when it can never be stored."""
        now = times.now()
        try:
            refused = await receipt_updates.fold(self.stored, [Change(op, tuple(ids), now, user)])
        except database.TRANSIENT:
            # The mark may be stored or not: the receipts role stores it from this receipt, and tells the devices.
            self.receipt_sender.put(Receipt(user, op, list(ids), now))
            raise
        if refused:
            raise Refused(422, f"the mark of {refused[0].change.ids[0]} cannot be stored: {refused[0].error}")
        metrics.folded.labels(op).inc(len(ids))
        await self._tell(Receipt(user, op, list(ids), now, folded=True))

    async def _tell(self, receipt: Receipt) -> None:
        """Send a receipt to Kafka before the caller is answered, or leave it to the receipt sender.

        Sent before, it reaches the user's other devices even if this process dies after its answer.
        """
        if self.kafka.up:
            record = {"topic": self.names.receipts, "key": receipt.user.encode(), "value": receipts.encode(receipt)}
            try:
                await send_all(self.producer, [record], within_s=TELL_S)
            except SEND_ERRORS as error:
                log.warning("Kafka did not take the receipt of a mark, so it is sent again later", error=repr(error))
            else:
                return
        self.receipt_sender.put(receipt)
