"""Run commands of the Docker engine, each within a bounded time."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Final

ANSWERS_WITHIN_S: Final = 10


class EngineError(Exception):
    """A command of the engine failed, or cannot be given. `str` says why, and what to do."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}: {cure}")


def run(command: Sequence[str], within_s: float, stdin: IO[bytes] | None = None) -> None:
    """Run a command to its end, its output going where this process' does. Raises `EngineError` when it fails."""
    try:
        done = subprocess.run(command, stdin=stdin, timeout=within_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"`{shlex.join(command)}` took over {within_s:g} s", "try again, or with less at once"
        ) from error
    if done.returncode:
        raise EngineError(f"`{shlex.join(command)}` ended with code {done.returncode}", "read what it printed above")


def read(
    command: Sequence[str],
    within_s: float = ANSWERS_WITHIN_S,
    *,
    env: Mapping[str, str] | None = None,
    with_errors: bool = False,
) -> str:
    """Return what a command prints, on request what it prints as errors as well. Raises `EngineError` when it fails."""
    errors = subprocess.STDOUT if with_errors else subprocess.PIPE
    try:
        done = subprocess.run(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=within_s, check=False, env=env
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"`{shlex.join(command)}` took over {within_s:g} s", "see whether the engine is well"
        ) from error
    if done.returncode:
        raise EngineError(
            f"`{shlex.join(command)}` failed: {(done.stderr or done.stdout).strip()}", "mend that, and try again"
        )
    return done.stdout.strip()


def absent() -> str:
    """Return, in words, why there is no engine to use; empty when there is one."""
    if shutil.which("docker") is None:
        return "there is no command docker"
    try:
        read(["docker", "version", "--format", "{{.Server.Version}}"])
    except EngineError as error:
        return str(error)
    return ""


def has_image(name: str) -> bool:
    """Return whether the engine has an image of that name."""
    return bool(read(["docker", "image", "ls", "--quiet", name]))
