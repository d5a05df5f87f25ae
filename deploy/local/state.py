"""Keep what the local stack has in its folder: data, logs, its secret, and which processes run where."""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import psutil

from deploy.local.errors import RESET, StackError

_ROOM_BYTES: Final = 16 * 1024 * 1024  # with less, Kafka and mongod end: they make files of some MiB at a time
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class ProcessState(msgspec.Struct):
    """A process that was started. `started` tells it from another one that got its pid later."""

    pid: int
    started: float
    restarts: int = 0


class StackState(msgspec.Struct):
    """What the supervisor writes down of the stack that it runs."""

    supervisor: ProcessState | None = None
    ready: bool = False
    ports: dict[str, int] = {}
    env: dict[str, str] = {}
    processes: dict[str, ProcessState] = {}


class Folder:
    """The state folder: `.local` in the checkout unless CLARION_STATE says otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def make(self) -> None:
        """Make the folder. Raise `StackError` where it cannot be used.

        On a full disk it cannot: every file made there would stay empty.
        """
        try:
            str(self.path).encode()
        except UnicodeEncodeError as error:
            raise StackError(
                f"the name of the folder {self.path!r} is not UTF-8", "set CLARION_STATE to another folder"
            ) from error
        with self.taking_room():
            for folder in (self.path, self.logs, self.path / "mongodb"):
                folder.mkdir(parents=True, exist_ok=True)
            if self.full():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full(self) -> str:
        """Return, in words, that the folder's disk is full; empty while there is room."""
        free = shutil.disk_usage(self.path).free
        return "" if free >= _ROOM_BYTES else f"the disk of {self.path} is full: {free // 1024} KiB are free"

    @contextmanager
    def taking_room(self) -> Generator[None]:
        """Raise `StackError`, which a person can read, when the disk is found to be full in the block."""
        try:
            yield
        except OSError as error:
            if not is_full(error):
                raise
            what = self.full() or f"{self.path} cannot be written to ({error.strerror})"
            raise StackError(what, "make room there, of some hundred MiB, and try again") from error

    @property
    def logs(self) -> Path:
        """Return the folder of the logs."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """Return the path of a process's log."""
        return self.logs / f"{name}.log"

    def load(self) -> StackState:
        """Return what was saved last. Raise `StackError` when it cannot be read."""
        try:
            return msgspec.json.decode((self.path / "state.json").read_bytes(), type=StackState)
        except FileNotFoundError:
            return StackState()
        except msgspec.DecodeError as error:
            raise StackError(f"{self.path}/state.json cannot be read ({error})", RESET) from error

    def save(self, state: StackState) -> None:
        """Write down what runs."""
        self._write("state.json", msgspec.json.format(msgspec.json.encode(state)))

    def save_targets(self, targets: list[dict[str, object]]) -> None:
        """Write down where Prometheus finds the processes, for `deploy/prometheus/local.yml`."""
        self._write("prometheus.json", msgspec.json.format(msgspec.json.encode(targets)))

    def secret(self) -> Path:
        """Return the path of this stack's signing secret, made once and readable by its owner only."""
        path = self.path / "jwt-secret"
        if not path.exists():
            self._write(path.name, secrets.token_urlsafe(48).encode(), mode=0o600)
        return path

    def _write(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file atomically: a reader sees the old or the new one, and on a full disk the old one stays."""
        draft = self.path / f"{name}.new"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
        draft.replace(self.path / name)

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the lock that a supervisor has while it lives. Raise `StackError` when another one holds it."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    "the stack is running already",
                    "look at it by `clarion local status`, or end it by `clarion local down`",
                ) from None
            yield


def is_full(error: OSError) -> bool:
    """Return whether the error says that a disk has no room."""
    return error.errno in _FULL


def default_folder() -> Folder:
    """Return the folder that CLARION_STATE names, `.local` by default."""
    return Folder(Path(os.environ.get("CLARION_STATE", ".local")))


def of(pid: int, restarts: int = 0) -> ProcessState:
    """Return what to write down of the process `pid`."""
    return ProcessState(pid, psutil.Process(pid).create_time(), restarts)


def find(known: ProcessState | None) -> psutil.Process | None:
    """Return the process that was written down, if it still runs; never another that got its pid later."""
    if known is None:
        return None
    try:
        process = psutil.Process(known.pid)
        alive = process.create_time() == known.started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if alive else None
