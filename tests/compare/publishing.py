"""Publishes what a course has, each notification at its moment, and notes which were accepted."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import httpx2

from tests.compare.account import Account, Asked
from tests.compare.arms.arm import Entrance, Request
from tests.compare.workload import Course, Phase, Publish

BATCH: Final = 25
_BATCHES: Final = (Phase.GROWTH,)
_AT_ONCE: Final = 200  # requests; beyond these the schedule waits, as behind a proxy
_ANSWERS_WITHIN_S: Final = 20.0


async def publish(course: Course, entrance: Entrance, account: Account) -> None:
    """Publish everything of a phase. Each request is made once: what is refused then is the sender's to send again."""
    batch = entrance.batch if course.phase in _BATCHES else None
    size = BATCH if batch else 1
    began, free = time.monotonic(), asyncio.Semaphore(_AT_ONCE)
    limits = httpx2.Limits(max_connections=_AT_ONCE)
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=_ANSWERS_WITHIN_S, limits=limits) as http,
        asyncio.TaskGroup() as tasks,
    ):
        for start in range(0, len(course.publishes), size):
            together = course.publishes[start : start + size]
            await asyncio.sleep(began + together[-1].at - time.monotonic())
            await free.acquire()
            now = time.time()
            for one in together:
                account.asked[one.key] = asked(one, course.phase, now)
            request = batch(together) if batch else entrance.single(together[0])
            sending = tasks.create_task(_send(http, request, together, account))
            sending.add_done_callback(lambda _: free.release())


def asked(publish: Publish, phase: Phase, now: float) -> Asked:
    """Return a notification as it stands in the account."""
    ready_at = now + (publish.due_s or 0.0)
    return Asked(publish.user, phase, publish.said.priority, ready_at, publish.due_s is not None)


async def _send(http: httpx2.AsyncClient, request: Request, together: Sequence[Publish], account: Account) -> None:
    try:
        answer = await http.post(request.url, content=request.body, headers=dict(request.headers))
    except httpx2.HTTPError:
        return  # not accepted: a server that is away, or an answer that was too late
    if answer.is_success:
        accepted = request.accepted(answer.content)
        account.accepted.update(one.key for one, is_in in zip(together, accepted, strict=True) if is_in)
