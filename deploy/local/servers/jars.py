"""Fetch Apache Kafka's jars by jgo, a Maven client in Python. Each must have the SHA-256 that the lock file names."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from deploy.local.errors import StackError

ENDPOINT: Final = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
LOCK: Final = Path(__file__).with_name("kafka-jars.lock")


def jars(folder: Path, endpoint: str = ENDPOINT, lock: Path = LOCK) -> list[Path]:
    """Return the jars that `lock` names, fetched into `folder` when missing.

    `endpoint` is what they are resolved from. Raise `StackError` when one is not what the lock says.
    """
    locked = read_lock(lock.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    if any(not (folder / name).exists() for name in locked):
        for jar in _resolve(endpoint):
            if jar.name in locked:
                draft = folder / f"{jar.name}.new"  # on a full disk half a jar would be left
                shutil.copyfile(jar, draft)
                draft.replace(folder / jar.name)
    verify(folder, locked, lock)
    return [folder / name for name in locked]


def read_lock(text: str) -> dict[str, str]:
    """Return the digests by name, from `sha256  name` lines as sha256sum prints them."""
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name in rows}


def verify(folder: Path, locked: dict[str, str], lock: Path = LOCK) -> None:
    """Raise `StackError` when a jar is missing, or is not what the lock says. The latter is deleted."""
    for name, expected in locked.items():
        path = folder / name
        if not path.exists():
            raise StackError(
                f"the jar {name} was not resolved", "check the network and the Maven settings, then try again"
            )
        if digest(path) != expected:
            path.unlink()
            raise StackError(
                f"the jar {name} is not the one that {lock.name} names", "remove it from the Maven cache and try again"
            )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lock_text(found: Iterable[Path]) -> str:
    """Return the lines of a lock file for these jars."""
    return "".join(f"{digest(path)}  {path.name}\n" for path in sorted(found, key=lambda path: path.name))


def _resolve(endpoint: str) -> list[Path]:
    import jgo

    try:
        # all_jars, since jgo leaves modular jars out of classpath
        return [Path(str(jar)) for jar in jgo.build(endpoint).all_jars]
    except Exception as error:
        raise StackError(f"Kafka's jars cannot be fetched: {error}", "check the network, then try again") from error


if __name__ == "__main__":  # python -m deploy.local.servers.jars: write the lock anew
    LOCK.write_text(f"# {ENDPOINT}\n" + lock_text(_resolve(ENDPOINT)))
