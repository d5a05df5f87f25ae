"""Play `clarion local demo`: publish every sample event, half of the users offline at first, and account for each."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from clarion.client import Publisher, State, Submission, Subscriber
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.notifications import State as Stored
from deploy.local.demo import events
from deploy.local.demo.account import Account

Report = Callable[[str], None]

COMPLETE_WITHIN_S: Final = 60.0
CONNECT_WITHIN_S: Final = 30.0
CHECK_EVERY_S: Final = 0.5
_REACHED: Final = (Stored.DELIVERED, Stored.READ)


@dataclass(frozen=True, slots=True)
class Demo:
    """A demonstration. It plays the sample `rounds` times, each for a team of its own, spread over `seconds`."""

    settings: Settings
    rounds: int = 20
    seconds: float = 12.0
    report: Report = lambda _: None

    async def play(self, halfway: Callable[[], None] = lambda: None) -> Account:
        """Publish everything, call `halfway` in between, and return the account.

        Wait until everything is accounted for, but at most COMPLETE_WITHIN_S.
        """
        account = Account()
        run = new_id()[-6:]
        rounds = [self._round(f"@{run}-{number}") for number in range(self.rounds)]
        users = sorted({submission.recipient or "" for one in rounds for submission in one})
        early, late = users[::2], users[1::2]
        async with asyncio.TaskGroup() as tasks:
            live = [asyncio.Event() for _ in early]
            listening = [
                tasks.create_task(self._listen(account, user, event)) for user, event in zip(early, live, strict=True)
            ]
            async with asyncio.timeout(CONNECT_WITHIN_S):
                for event in live:
                    await event.wait()
            self.report(f"{len(early)} of {len(users)} users are connected; the others connect later")
            await self._publish(account, rounds, halfway)
            self.report(
                f"{len(account.published)} notifications are published; the other {len(late)} users connect now"
            )
            listening += [tasks.create_task(self._listen(account, user, asyncio.Event())) for user in late]
            await self._settle(account)
            for listener in listening:
                listener.cancel()
        return account

    def _round(self, team: str) -> list[Submission]:
        return [events.submission(told, team, collapse=False) for told in events.told(events.deliveries(), team)]

    async def _publish(
        self, account: Account, rounds: Sequence[Sequence[Submission]], halfway: Callable[[], None]
    ) -> None:
        """Publish every other round over HTTP, and the rest straight to Kafka: both are first-class ways in."""
        token = mint(self.settings, sub="github", scope=PUBLISH)
        http = Publisher.http(self.settings.ingest_url, token=token)
        kafka = Publisher.kafka(
            self.settings.kafka,
            sender="github",
            prefix=self.settings.prefix,
            security=self.settings.kafka_security,
        )
        async with http, kafka:
            for number, submissions in enumerate(rounds):
                if number == len(rounds) // 2:
                    halfway()
                publisher = http if number % 2 else kafka
                for submission, result in zip(submissions, await publisher.publish_many(submissions), strict=True):
                    if result.id is None:
                        raise RuntimeError(f"a notification was not accepted: {result}")
                    account.published[result.id] = submission.recipient or ""
                await asyncio.sleep(self.seconds / len(rounds))

    async def _listen(self, account: Account, user: str, live: asyncio.Event) -> None:
        connected_at = datetime.now(UTC)

        def on_state(state: State) -> None:
            nonlocal connected_at
            if state is State.LIVE:
                connected_at = datetime.now(UTC)
                live.set()

        token = mint(self.settings, sub=user, scope=SUBSCRIBE)
        async with Subscriber(self.settings.gateway_urls, token=token, on_state=on_state) as subscriber:
            try:
                async for item in subscriber:
                    created = datetime.fromisoformat(item.created_at)
                    account.received(item.id, user, is_live=created >= connected_at)
            finally:
                account.repeats += subscriber.stats.repeats

    async def _settle(self, account: Account) -> None:
        stored = database.connect(self.settings)
        documents = notifications.collection(stored)
        ids = list(account.published)
        deadline = time.monotonic() + COMPLETE_WITHIN_S
        try:
            while True:
                found = await notifications.find(documents, ids)
                account.stored = set(found)
                account.acknowledged = {id_ for id_, document in found.items() if document.state in _REACHED}
                if account.is_complete() or time.monotonic() > deadline:
                    return
                await asyncio.sleep(CHECK_EVERY_S)
        finally:
            database.close(stored)


def killer(kill: Callable[[str, signal.Signals], None], name: str, report: Report) -> Callable[[], None]:
    """Return a `halfway` that ends the process `name` by SIGKILL."""

    def halfway() -> None:
        report(f"the process {name} is killed now (SIGKILL)")
        kill(name, signal.SIGKILL)

    return halfway
