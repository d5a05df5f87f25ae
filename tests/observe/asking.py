"""What Prometheus, Alertmanager, the processes, the console and the doctor say now."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import httpx2
import msgspec

from clarion.operating.overview.schema import Overview, Trouble
from clarion.security.tokens import OPERATE, mint
from clarion.settings import Settings
from tests.observe.servers import Monitoring

_ANSWER_S: Final = 5.0
_DOCTOR_S: Final = 60.0
_UNTOLD: Final = ("alertname", "rule", "severity", "job", "instance", "long", "short")


class Alert(NamedTuple):
    """An alert that fires. It is quiet while Alertmanager calls nobody for it, since another one explains it."""

    rule: str
    severity: str
    labels: Mapping[str, str]
    is_quiet: bool

    @property
    def is_page(self) -> bool:
        """Whether somebody is called for it at once."""
        return self.severity == "critical" and not self.is_quiet

    def __str__(self) -> str:
        others = {k: v for k, v in self.labels.items() if k not in _UNTOLD}
        return f"{self.severity}: {self.rule} {', '.join(f'{k}={v}' for k, v in sorted(others.items()))}".rstrip()


class Check(msgspec.Struct):
    """What the doctor says of one thing that it looked at."""

    check: str
    result: str
    evidence: str


class _Examined(msgspec.Struct):
    checks: list[Check]
    exit_code: int


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks them all.

    `console` is its URL, `admins` are the processes' admin ports, and `env` is what operators have in their shell.
    """

    monitoring: Monitoring
    console: str
    admins: Mapping[str, int]
    env: Mapping[str, str]
    http: httpx2.AsyncClient

    async def alerts(self) -> list[Alert]:
        """What Alertmanager has, and has not been told to be over."""
        answer: Any = (await self.http.get(f"{self.monitoring.alertmanager}/api/v2/alerts", timeout=_ANSWER_S)).json()
        return [
            Alert(one["labels"]["rule"], one["labels"]["severity"], one["labels"], one["status"]["state"] != "active")
            for one in answer
        ]

    async def query(self, expression: str) -> list[float]:
        """The values that an expression has now."""
        asked = {"query": expression}
        answer: Any = (
            await self.http.post(f"{self.monitoring.prometheus}/api/v1/query", data=asked, timeout=_ANSWER_S)
        ).json()
        if answer["status"] != "success":
            raise AssertionError(f"{expression}: {answer}")
        return [float(one["value"][1]) for one in answer["data"]["result"]]

    async def broken_rules(self) -> list[str]:
        """The rules that Prometheus could not evaluate, each with its error."""
        answer: Any = (await self.http.get(f"{self.monitoring.prometheus}/api/v1/rules", timeout=_ANSWER_S)).json()
        rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
        if not rules:
            return ["Prometheus has no rules"]
        return [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"]

    async def findings(self, process: str) -> set[str]:
        """The rules that a process's monitor has found to hold; none of a process that does not answer."""
        try:
            answer = await self.http.get(f"http://127.0.0.1:{self.admins[process]}/health/metrics", timeout=_ANSWER_S)
        except httpx2.TransportError:
            return set()
        return {finding["rule"] for finding in answer.json().get("findings", ())}

    async def shown(self) -> list[Trouble]:
        """The open troubles that the console shows; none while it does not answer."""
        token = mint(Settings.from_env(self.env), sub="observe", scope=OPERATE)
        try:
            answer = await self.http.get(
                f"{self.console}/v1/overview", headers={"Authorization": f"Bearer {token}"}, timeout=_ANSWER_S
            )
        except httpx2.TransportError:
            return []
        return msgspec.json.decode(answer.raise_for_status().content, type=Overview).troubles

    async def doctor(self) -> dict[str, Check]:
        """What `clarion doctor --json` says, by the names of its checks."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clarion.cli", "doctor", "--json"),
            env={**os.environ, **self.env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(_DOCTOR_S):
            said, errors = await process.communicate()
        if not said:
            raise AssertionError(f"the doctor said nothing: {errors.decode()[-1000:]}")
        examined = msgspec.json.decode(said, type=_Examined)
        return {check.check: check for check in examined.checks}
