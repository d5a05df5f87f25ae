"""Receipts are folded when the schedule says so: by the stream's own fold, with no worker of theirs."""

from clarion.contracts.records import receipts
from clarion.contracts.records.receipts import Receipt
from clarion.store import notifications
from clarion.store.updates import receipt_updates
from services.stream.receipts.fold import fold
from tests.live.live import Live
from tests.live.schedules import Move


async def fold_receipt(live: Live, move: Move) -> bool:
    """What its gateway has put together with it is folded with it."""
    while not live.folded.issuperset(move.brings):
        if not live.unfolded and not await read_more(live, live.within_s):
            return False
        await fold_one(live, live.unfolded.pop(0))
    return True


async def read_more(live: Live, within_s: float) -> bool:
    for records in (await live.receipts.getmany(timeout_ms=int(within_s * 1000))).values():
        live.unfolded += [receipts.decode(record.value) for record in records]
    return bool(live.unfolded)


async def fold_one(live: Live, receipt: Receipt) -> None:
    await receipt_updates.fold(notifications.collection(live.stored), fold([receipt]).changes)
    live.folded.update(receipt.ids)
