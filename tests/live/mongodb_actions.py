"""What happens to MongoDB, and in it, behind everybody's back."""

from clarion.contracts import times
from clarion.contracts.receipts import Op
from clarion.store import changes, notifications
from clarion.store.changes import Change
from tests.live.live import Live
from tests.live.schedules import Move


async def take_mongodb_away(live: Live, _: Move) -> bool:
    live.slowness.set()
    return True


async def bring_mongodb_back(live: Live, _: Move) -> bool:
    live.slowness.clear()
    return True


async def retract(live: Live, _: Move, id_: str) -> bool:
    await changes.fold(notifications.collection(live.stored), [Change(Op.RETRACTED, (id_,), times.now())])
    return True
