"""Processes that a test or a bench starts itself."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, NamedTuple

import httpx2
import psutil

from clarion.settings import Settings

_LAST_BYTES: Final = 2000


@asynccontextmanager
async def child(
    command: Sequence[str], env: Mapping[str, str], log: Path | None = None
) -> AsyncGenerator[psutil.Process]:
    """A process of ours that is killed at the end of the block. What it says goes to the end of `log`, if given.

    When the block fails and the process had ended by itself, the error has a note with its last words.
    """
    with log.open("a+b") if log else TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command), env={**os.environ, **env}, stdout=asyncio.subprocess.DEVNULL, stderr=said
        )
        try:
            yield psutil.Process(process.pid)
        except BaseException as error:
            if process.returncode is not None:
                error.add_note(f"{' '.join(command)} ended with {process.returncode}:\n{_last_words(said)}")
            raise
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _last_words(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - _LAST_BYTES))
    return said.read().decode(errors="replace")


def env_of(settings: Settings) -> dict[str, str]:
    """The environment that makes a process have these settings."""
    return {f"CLARION_{name.upper()}": str(getattr(settings, name)) for name in settings.__struct_fields__}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def is_ready(admin_port: int) -> bool:
    """Whether a process says that it is ready; one that does not listen yet is not."""
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
        try:
            return (await http.get(f"http://127.0.0.1:{admin_port}/healthz/ready")).is_success
        except httpx2.TransportError:
            return False


async def health_of(admin_port: int) -> dict[str, Any]:
    """What a process says of itself, with its reasons."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer: dict[str, Any] = (await http.get(f"http://127.0.0.1:{admin_port}/health")).json()
    return answer


async def figures_of(admin_port: int) -> dict[str, float]:
    """The samples of a process's /metrics, by name and labels as they stand there."""
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
        text = (await http.get(f"http://127.0.0.1:{admin_port}/metrics")).text
    samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


class Net(NamedTuple):
    """What a gateway's safety net did since its process began: looks done, users asked about, items pushed."""

    looks: float = 0
    asked: float = 0
    overlooked: float = 0


async def net_of(admin_port: int) -> Net:
    """All 0 of a gateway that does not answer."""
    try:
        figures = await figures_of(admin_port)
    except httpx2.HTTPError:
        return Net()  # it was killed, or paused, or is starting
    return Net(
        figures.get('clarion_safety_net_looks_total{how="done"}', 0),
        figures["clarion_safety_net_asked_total"],
        sum(count for name, count in figures.items() if name.startswith("clarion_overlooked_total")),
    )
