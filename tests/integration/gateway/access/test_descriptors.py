"""Out of file descriptors: the admin port answers, names the state, and the door comes back when there are some."""

import asyncio
import resource
from collections.abc import Sequence
from pathlib import Path

import httpx2
import msgspec
import pytest

from clarion.settings import Settings
from tests.conftest import until
from tests.subprocesses import child, env_of, free_port

pytestmark = pytest.mark.slow

LIMIT = 256
HALF_OPEN = 400


async def asked(admin_port: int, path: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
        return await http.get(f"http://127.0.0.1:{admin_port}{path}")


@pytest.mark.parametrize("service", ["ingest", "gateway"])
async def test_the_admin_port_keeps_descriptors_of_its_own(service: str, settings: Settings, tmp_path: Path) -> None:
    own = msgspec.structs.replace(settings, port=free_port(), admin_port=free_port(), connections_per_ip=0)
    log = tmp_path / "log"
    async with child(("-m", "clarion.cli", service), env_of(own), log) as process:
        process.rlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))

        async def ready() -> bool:
            try:
                return (await asked(own.admin_port, "/healthz/ready")).status_code == 200
            except httpx2.TransportError:
                return False

        await until(ready, within_s=90)
        await asyncio.sleep(2)  # the limit is looked at once a second
        half_open = await _half_open(own.port)
        told = (await asked(own.admin_port, "/health")).json()
        assert told["status"] == "degraded"
        assert [reason for reason in told["reasons"] if "out of file descriptors" in reason and "ulimit -n" in reason]
        for path in ("/healthz/live", "/healthz/ready", "/health/metrics", "/metrics") * 5:
            assert (await asked(own.admin_port, path)).status_code == 200
        for writer in half_open:
            writer.close()

        async def served() -> bool:
            async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
                try:
                    return (await http.get(f"http://127.0.0.1:{own.port}/openapi.json")).status_code == 200
                except httpx2.TransportError:
                    return False

        await until(served)
    assert log.read_text().count("out of file descriptors") == 1


async def _half_open(port: int) -> Sequence[asyncio.StreamWriter]:
    writers: list[asyncio.StreamWriter] = []
    for _ in range(HALF_OPEN):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        writers.append(writer)
    return writers
