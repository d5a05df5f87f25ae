"""A lease that is older in MongoDB than its gateway knows it: MongoDB went back to a backup."""

import asyncio

import pytest

from clarion.store import mailboxes
from clarion.store.driver.database import Database
from services.gateway.mailbox import lease as leasing
from services.gateway.mailbox.lease import LeaseLost, acquire, keep

pytestmark = pytest.mark.slow


async def test_a_restored_lease_is_lost_and_taken_anew(own: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "RENEW_EVERY_S", 0.1)
    leases = mailboxes.collection(own)
    first = await acquire(leases, 1, "me")
    keeping = asyncio.create_task(keep(leases, first))
    backup = await leases.find_one({"_id": first.mailbox})
    assert backup is not None
    await asyncio.sleep(1)  # some renewals
    assert not keeping.done()
    await leases.replace_one({"_id": first.mailbox}, backup)
    with pytest.raises(LeaseLost, match="it was restored"):
        await asyncio.wait_for(keeping, 10)
    again = await acquire(leases, 1, "me")
    assert again.epoch > first.epoch, "sessions of before are of another epoch"
