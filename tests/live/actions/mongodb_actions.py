"""What happens to MongoDB, and in it, behind everybody's back."""

from clarion.contracts import times
from clarion.contracts.records.receipts import Op
from clarion.store import notifications
from clarion.store.updates import early_retractions, receipt_updates
from clarion.store.updates.receipt_updates import Change
from clarion.store.updates.stubs import Retraction
from tests.live.live import Live
from tests.live.schedules import Move


async def take_mongodb_away(live: Live, _: Move) -> bool:
    live.slowness.set()
    return True


async def bring_mongodb_back(live: Live, _: Move) -> bool:
    live.slowness.clear()
    return True


async def retract_at_once(live: Live, _: Move, id_: str, sender: str) -> bool:
    now = times.now()
    await early_retractions.note(notifications.collection(live.stored), [Retraction(id_, {sender}, now)], now)
    return True


async def retract(live: Live, _: Move, id_: str) -> bool:
    await receipt_updates.fold(notifications.collection(live.stored), [Change(Op.RETRACTED, (id_,), times.now())])
    return True
