"""What strangers do with the SDK and with keys at ingest: everything at once, one key for several, and back again."""

import asyncio
import random
from collections import Counter
from typing import Final

import httpx2

from clarion.client import Publisher
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from tests.faults.strangers.doors import Doors
from tests.faults.strangers.librdkafka import Sent

CROWD: Final = 2_000
_RECIPIENTS: Final = 500
_USES: Final = 3
_RETRACTED: Final = 40  # of what is not stored yet an ingest process takes back one a second, and a hundred at once
_ANSWER_S: Final = 20.0


async def crowd(doors: Doors, chance: random.Random, sent: Sent) -> None:
    """A thousand `publish()` at once on one publisher, and as many again: each is accepted, at the server's rate."""
    async with Publisher.http(_url(doors), token=_token(doors.settings)) as publisher:

        async def one(number: int) -> str:
            recipient, lane = f"crowd-{number % _RECIPIENTS}", chance.choice(LANES)
            return await publisher.publish(
                recipient=recipient, type="strange", message=f"of a crowd: {number}", priority=lane
            )

        found = await asyncio.gather(*(one(number) for number in range(CROWD)), return_exceptions=True)
    sent.kept |= {id_ for id_ in found if isinstance(id_, str)}
    failed = Counter(repr(error) for error in found if isinstance(error, BaseException))
    doors.wrong += [f"{count} of a crowd were not accepted: {error}" for error, count in failed.items()]


async def reused_keys(doors: Doors, chance: random.Random, sent: Sent) -> None:
    """The first use of each key is accepted, a repeat has the same id, and another message is refused as such."""
    headers = {"authorization": f"Bearer {_token(doors.settings)}"}
    async with httpx2.AsyncClient(trust_env=False, timeout=_ANSWER_S, headers=headers, base_url=_url(doors)) as http:
        for _ in range(10):
            key = f"key-{new_id()}"
            bodies = [_body(chance) for _ in range(_USES)]
            answers = [
                await http.post("/v1/notifications", headers={"idempotency-key": key}, json=body)
                for body in (bodies[0], *bodies)
            ]
            for answer in answers:
                doors.answers[answer.status_code] += 1
            statuses = [answer.status_code for answer in answers]
            if any(status in (429, 503) for status in statuses):
                continue  # it was told to come later
            if statuses != [202, 202, *[422] * (_USES - 1)] or answers[0].json() != answers[1].json():
                doors.wrong.append(f"a key used for {_USES} messages was answered with {statuses}")
                continue
            sent.kept.add(answers[0].json()["id"])


async def second_thoughts(doors: Doors, chance: random.Random, sent: Sent) -> None:
    """Some are taken back as soon as they are accepted: nobody sees them in an inbox afterwards."""
    async with Publisher.http(_url(doors), token=_token(doors.settings)) as publisher:
        for number in range(_RETRACTED):
            recipient, lane = f"crowd-{number}", chance.choice(LANES)
            id_ = await publisher.publish(recipient=recipient, type="strange", message="by mistake", priority=lane)
            await publisher.retract(id_)
            sent.retracted.add(id_)


def _body(chance: random.Random) -> dict[str, str]:
    return {"recipient": "crowd-0", "type": "strange", "message": f"keyed: {chance.randrange(10**9)}"}


def _url(doors: Doors) -> str:
    return f"http://127.0.0.1:{doors.ingest}"


def _token(settings: Settings) -> str:
    return mint(settings, sub="stranger", scope=PUBLISH, ttl_s=600)
