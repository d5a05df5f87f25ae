"""Backups of the stack's mongod by its files, and the loss of all that its Kafka has."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from deploy.local.stack import Stack

_LOCKS = ("mongod.lock", "WiredTiger.lock")  # of the process that had the files


async def back_up_mongodb(stack: Stack, folder: Path) -> None:
    """Copy mongod's files while it runs and takes no writes, which wait meanwhile."""
    await asyncio.to_thread(_copy_locked, stack.ports["mongodb"], stack.folder.path / "mongodb", folder)


def _copy_locked(port: int, data: Path, folder: Path) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient("127.0.0.1", port, directConnection=True, timeoutMS=20_000)
    with client:
        client.admin.command("fsync", lock=True)
        try:
            shutil.copytree(data, folder, ignore=shutil.ignore_patterns(*_LOCKS))
        finally:
            client.admin.command("fsyncUnlock")


async def restore_mongodb(stack: Stack, folder: Path) -> None:
    """Stop mongod, put the files of the backup in the place of its own, and start it. All else runs on."""
    await stack.stop_child("mongodb")
    data = stack.folder.path / "mongodb"
    await asyncio.to_thread(shutil.rmtree, data)
    await asyncio.to_thread(shutil.copytree, folder, data)
    await stack.start_mongodb()


async def lose_kafka(stack: Stack) -> None:
    """Stop Kafka, delete all that it has, and start it empty. Its topics have to be made anew."""
    await stack.stop_child("kafka")
    await asyncio.to_thread(shutil.rmtree, stack.folder.path / "kafka" / "data")
    await stack.start_kafka()


async def stop_services(stack: Stack) -> None:
    """End all processes of Clarion in order, those that speak to clients first. The servers stay."""
    for spec in sorted(stack.specs, key=lambda spec: -spec.tier):
        if stack.children[spec.name].pid is not None:
            await stack.stop_child(spec.name)


async def start_services(stack: Stack) -> None:
    """Start all processes of Clarion again, and wait until they are ready."""
    await asyncio.gather(*(stack.start_service(spec) for spec in stack.specs))
