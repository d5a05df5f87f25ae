"""`clarion dlq` as it is called from a shell, on the running stack."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import audit_log
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from tests.integration.stream.receipts.test_dead_letters import letters_of, send

pytestmark = pytest.mark.slow


async def dlq(stack: Stack, *arguments: str, said: str = "") -> tuple[int, str, str]:
    """Its exit code, and what it wrote; it reads what was `said`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clarion.cli", "dlq", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **stack.env, "COLUMNS": "400"},
    )
    out, err = await process.communicate(said.encode())
    return int(process.returncode or 0), out.decode(), err.decode()


async def test_dlq_mends_and_replays_a_letter(stack: Stack, live: Settings, stored: Database, user: str) -> None:
    await send(live, Names(live.prefix).notifications(Lane.LOW), user, b"no json", b"no json either")
    await letters_of(stored, user, 2)
    code, out, _ = await dlq(stack, "list", "--recipient", user, "--json")
    page: dict[str, Any] = json.loads(out)
    (id_, other), reasons = [one["id"] for one in page["items"]], {one["reason"] for one in page["items"]}
    assert (code, reasons) == (0, {"undecodable"})
    good = f'{{"type": "a", "message": "m", "recipient": "{user}", "sender": "s"}}'
    code, out, _ = await dlq(stack, "edit", id_, "--value-file", "-", "--json", said=good)
    assert (code, json.loads(out)["fault"]) == (0, None)
    code, out, err = await dlq(stack, "replay", "--recipient", user, said="n\n")
    assert (code, "Replay 2 dead letters?" in out + err) == (1, True)  # and nothing was done
    code, out, _ = await dlq(stack, "replay", id_, other, "--dry-run")
    assert (code, out.count("it would be sent to")) == (0, 2)
    code, out, _ = await dlq(stack, "replay", id_, "nowhere/0/0", "--yes", "--json")
    assert code == 1
    assert {one["id"]: one["done"] for one in map(json.loads, out.splitlines())} == {id_: True, "nowhere/0/0": False}
    code, out, _ = await dlq(stack, "show", id_)
    assert (code, "replayed" in out, "no json" in out, good in out) == (0, True, True, True)
    code, out, _ = await dlq(stack, "purge", "--recipient", user, "--yes")
    assert (code, out) == (0, "2 purged\n")
    assert (await dlq(stack, "show", id_))[0] == 1
    log = await audit_log.page(audit_log.collection(stored), limit=50)
    mine = [one for one in log if one.via == "cli" and any(name in str(one.about) for name in (user, id_))]
    assert [one.action for one in mine] == ["dead_letters.purge", "dead_letters.replay", "dead_letters.edit"]


async def test_dlq_says_which_server_does_not_answer(stack: Stack) -> None:
    env = {"CLARION_MONGODB": "mongodb://127.0.0.1:9/?replicaSet=rs0"}
    away = Stack(stack.folder, stack.plan)
    away.env = stack.env | env
    code, _, err = await dlq(away, "list")
    assert (code, "MongoDB (CLARION_MONGODB) did not answer" in err, "Traceback" in err) == (1, True, False)
