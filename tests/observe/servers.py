"""Debian's Prometheus and Alertmanager beside a stack, with the committed configuration on a quicker clock."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import yaml

from clarion.rules.quickened import burns_by, groups_by
from deploy.prometheus.alerts import STAYS_S, alerts, objectives
from tests.conftest import repository
from tests.observe import clocks
from tests.subprocesses import free_port

CONFIGURATION: Final = repository() / "deploy" / "prometheus"
_TOOLS: Final = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
_START_S: Final = 30.0
_CHECK_S: Final = 30.0
_END_S: Final = 10.0


class Missing(Exception):
    """A program that is needed is not installed."""


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Where Prometheus and Alertmanager answer."""

    prometheus: str
    alertmanager: str


@asynccontextmanager
async def monitoring(folder: Path, targets: Path, say: Callable[[str], None]) -> AsyncGenerator[Monitoring]:
    """Both, while the block runs: their files are in `folder`, and `targets` is what the stack wrote for Prometheus.

    Before they start, their own tools check the configuration. Raises `Missing`.
    """
    if missing := [tool for tool in _TOOLS if not shutil.which(tool)]:
        raise Missing(f"{', '.join(missing)} not found: apt-get install prometheus prometheus-alertmanager")
    at = Monitoring(f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")
    rules, scraping, calling = _written(folder, targets, at)
    await _checked("promtool", "check", "rules", *map(str, rules))
    await _checked("promtool", "check", "config", str(scraping))
    await _checked("amtool", "check-config", str(calling))
    say(f"promtool and amtool accept {len(rules)} files of rules and both configurations")
    alertmanager = (
        "prometheus-alertmanager", f"--config.file={calling}", f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={at.alertmanager.removeprefix('http://')}", "--cluster.listen-address=",
    )  # fmt: skip
    prometheus = (
        "prometheus", f"--config.file={scraping}", f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={at.prometheus.removeprefix('http://')}",
    )  # fmt: skip
    async with _running(alertmanager, folder / "alertmanager.log"), _running(prometheus, folder / "prometheus.log"):
        async with asyncio.timeout(_START_S), httpx2.AsyncClient(trust_env=False, timeout=2) as http:
            for url in (at.alertmanager, at.prometheus):
                while not await _is_ready(http, url):
                    await asyncio.sleep(0.1)
        yield at


def _written(folder: Path, targets: Path, at: Monitoring) -> tuple[list[Path], Path, Path]:
    """Write rules and configuration: those of `deploy/prometheus`, with other times and addresses."""
    rules = {
        "alerts.yml": alerts("docs/runbook.md", groups_by(clocks.TROUBLES)),
        "objectives.yml": objectives(
            "docs/runbook.md", burns_by(clocks.OBJECTIVES), clocks.OBJECTIVES.wait(STAYS_S)
        ),
    }  # fmt: skip
    scraping = _read("local.yml")
    scraping["global"] = {
        "scrape_interval": f"{clocks.SCRAPE_S}s",
        "scrape_timeout": f"{clocks.SCRAPE_S}s",
        "evaluation_interval": f"{clocks.EVALUATE_S}s",
    }
    scraping["rule_files"] = list(rules)
    scraping["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [at.alertmanager.removeprefix("http://")]
    scraping["scrape_configs"][0]["file_sd_configs"][0]["files"] = [str(targets)]
    calling = _read("alertmanager.yml")
    calling["route"] |= {"group_wait": "1s", "group_interval": "5s"}
    folder.mkdir()
    written = {**rules, "prometheus.yml": scraping, "alertmanager.yml": calling}
    for name, content in written.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1_000_000))
    return [folder / name for name in rules], folder / "prometheus.yml", folder / "alertmanager.yml"


def _read(name: str) -> Any:
    return yaml.safe_load((CONFIGURATION / name).read_text())


async def _checked(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(_CHECK_S):
        said, _ = await process.communicate()
    if process.returncode:
        raise AssertionError(f"{' '.join(command)}:\n{said.decode()}")


@asynccontextmanager
async def _running(command: tuple[str, ...], log: Path) -> AsyncGenerator[None]:
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said)
    try:
        yield
    finally:
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _is_ready(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/-/ready")).is_success
    except httpx2.TransportError:
        return False
