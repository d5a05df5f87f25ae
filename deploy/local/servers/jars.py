"""Fetch Apache Kafka's jars by jgo, a Maven client in Python. Each must have the SHA-256 that the lock file names.

Stacks that start together fetch one after the other: jgo fails when another process has just brought the file that it
is about to write into Maven's cache, which all of a user's processes share.
"""

import hashlib
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deploy.local.errors import StackError

ENDPOINT: Final = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
LOCK: Final = Path(__file__).with_name("kafka-jars.lock")
FETCHED_WITHIN_S: Final = 600.0  # by others who are fetching just now: some 50 MB, on a slow line as well


def jars(folder: Path, endpoint: str = ENDPOINT, lock: Path = LOCK) -> list[Path]:
    """Return the jars that `lock` names, fetched into `folder` when missing.

    `endpoint` is what they are resolved from. Raise `StackError` when one is not what the lock says.
    """
    locked = read_lock(lock.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    if _missing(folder, locked):
        with _alone(), TemporaryDirectory() as empty:
            with suppress(StackError):  # tried again below, which raises it when it is the network's fault
                _copy(_resolve(endpoint), locked, folder)
            # a fetch that was killed leaves half a file in Maven's cache, which jgo takes for a whole one ever after
            if _missing(folder, locked):
                _copy(_resolve(endpoint, Path(empty)), locked, folder)
    verify(folder, locked, lock)
    return [folder / name for name in locked]


def _missing(folder: Path, locked: Iterable[str]) -> list[str]:
    return [name for name in locked if not (folder / name).exists()]


def _copy(found: Iterable[Path], locked: dict[str, str], folder: Path) -> None:
    """Copy those jars that are as the lock says."""
    for jar in found:
        if jar.name in locked and digest(jar) == locked[jar.name]:
            draft = folder / f"{jar.name}.new"  # on a full disk half a jar would be left
            shutil.copyfile(jar, draft)
            draft.replace(folder / jar.name)


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
                f"no jar {name} was found that is the one which {lock.name} names",
                "check the network and the Maven settings, then try again",
            )
        if digest(path) != expected:
            path.unlink()
            raise StackError(
                f"the jar {name} is not the one that {lock.name} names",
                "try again: it was deleted, and will be fetched anew",
            )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lock_text(found: Iterable[Path]) -> str:
    """Return the lines of a lock file for these jars."""
    return "".join(f"{digest(path)}  {path.name}\n" for path in sorted(found, key=lambda path: path.name))


@contextmanager
def _alone() -> Generator[None]:
    """Hold the lock under which jars are fetched. Raise `StackError` when others hold it for too long."""
    from filelock import FileLock, Timeout
    from jgo.constants import default_maven_repo

    cache = default_maven_repo()
    cache.mkdir(parents=True, exist_ok=True)
    held = FileLock(cache / ".clarion-lock", timeout=FETCHED_WITHIN_S)
    try:
        held.acquire()
    except Timeout as error:
        raise StackError(
            f"another process has been fetching Kafka's jars for {FETCHED_WITHIN_S:g} s",
            f"end the process that holds {held.lock_file}, then try again",
        ) from error
    try:
        yield
    finally:
        held.release()


def _resolve(endpoint: str, cache: Path | None = None) -> list[Path]:
    """Return the jars of an endpoint, fetched into `cache`, or into the one of Maven."""
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext

    try:
        context = MavenContext(repo_cache=cache and cache / "maven")
        built = EnvironmentBuilder(context, cache_dir=cache and cache / "jgo").from_endpoint(endpoint)
        return [Path(str(jar)) for jar in built.all_jars]  # jgo leaves modular jars out of classpath
    except Exception as error:
        raise StackError(f"Kafka's jars cannot be fetched: {error!r}", "check the network, then try again") from error


if __name__ == "__main__":  # python -m deploy.local.servers.jars: write the lock anew
    LOCK.write_text(f"# {ENDPOINT}\n" + lock_text(_resolve(ENDPOINT)))
