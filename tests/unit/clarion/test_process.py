"""A process that is told twice to stop leaves at once, and says so; a busy one answers on its admin port."""

import asyncio
import signal
import sys
import time

import httpx2

from tests.conftest import until
from tests.subprocesses import child, figures_of, free_port

# As long as code may run before it gives way: see `clarion.cooperative`.
BUSY_S = 0.02
BUSY = f"""
import asyncio, sys, time
from clarion.process import run
from clarion.settings import Settings

async def main(process):
    process.health.started = True
    while not process.stopping.is_set():
        end = time.perf_counter() + {BUSY_S}
        while time.perf_counter() < end:
            pass
        await asyncio.sleep(0)

run("test", main, Settings(env="dev", host="127.0.0.1", admin_port=int(sys.argv[1])))
"""
PATHS = (
    *("/healthz/live", "/healthz/ready", "/healthz/startup"),
    *("/health", "/health/status", "/health/metrics", "/metrics"),
)
OWN = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds")

PROGRAM = """
import asyncio
from clarion.process import run
from clarion.settings import Settings

async def main(process):
    process.stopping.clear()
    await process.stopping.wait()
    await asyncio.sleep(60)

run("test", main, Settings(env="dev", host="127.0.0.1", admin_port=0))
"""


async def test_a_second_signal_is_in_the_log_and_the_exit_code_is_1() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while b"the process starts" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        while b"draining" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        rest = await process.stderr.read()
        assert await process.wait() == 1
    assert b"a second signal came: the process leaves at once" in rest


async def test_a_process_that_is_always_busy_answers_on_its_admin_port() -> None:
    port = free_port()
    async with child(["-c", BUSY, str(port)], {}), httpx2.AsyncClient(trust_env=False, timeout=5) as http:

        async def answers() -> bool:
            try:
                return (await http.get(f"http://127.0.0.1:{port}/healthz/live")).is_success
            except httpx2.TransportError:
                return False

        await until(answers)
        for path in PATHS:
            began = time.monotonic()
            assert (await http.get(f"http://127.0.0.1:{port}{path}")).is_success, path
            assert time.monotonic() - began < 2, f"{path}: the timeout of a probe"

        async def is_seen() -> bool:
            figures, name = await figures_of(port), "clarion_loop_delay_seconds"
            return figures[f"{name}_count"] > figures[f'{name}_bucket{{le="0.001"}}']

        await until(is_seen)
        figures = await figures_of(port)
        assert [name for name in OWN if figures[name] <= 0] == []
