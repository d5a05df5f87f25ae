"""Make the base of all images from packages of the distribution, by mmdebstrap: no image registry is asked."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.docker.engine import EngineError, run

WITHIN_S: Final = 600
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_SOURCES: Final = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
# Python for the services and the entrypoints, venv for the stage that installs, libcurl4 for mongod.
_PACKAGES: Final = ("ca-certificates", "python3", "python3-venv", "libcurl4")
# What nobody reads in a container.
_LEFT_OUT: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build(tag: str) -> None:
    """Make the base image from the sources of packages that this machine uses. Raises `EngineError`."""
    if shutil.which("mmdebstrap") is None:
        raise EngineError("mmdebstrap is missing, which makes the base image", "install it: apt-get install mmdebstrap")
    command = ["mmdebstrap", "--quiet", "--variant=apt", *_arguments(), "", "-", str(sources())]
    making = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603
    try:
        run(
            ["docker", "import", *_changes(), "-", tag],
            within_s=WITHIN_S,
            stdin=making.stdout,
        )
        code = making.wait(WITHIN_S)
    finally:
        making.kill()
    if code:
        raise EngineError(f"mmdebstrap ended with code {code}", "read what it printed above, and try again")


def sources(candidates: tuple[Path, ...] = _SOURCES) -> Path:
    """Return the list of package sources that this machine uses. Raises `EngineError` where there is none."""
    for path in candidates:
        if path.exists():
            return path
    raise EngineError(
        "no list of package sources was found", f"build on Debian, which has one of {', '.join(map(str, candidates))}"
    )


def _arguments() -> Iterator[str]:
    yield f"--include={','.join(_PACKAGES)}"
    yield "--dpkgopt=force-unsafe-io"
    for path in _LEFT_OUT:
        yield f"--dpkgopt=path-exclude={path}"
    # images are called Python's by `python`, as the official ones are
    yield '--customize-hook=ln -s python3 "$1/usr/bin/python"'
    if CERTIFICATES.exists():
        # builds reach the index of packages by the authorities that this machine trusts
        yield f"--customize-hook=copy-in {CERTIFICATES} {CERTIFICATES.parent}"


def _changes() -> Iterator[str]:
    for change in (f"ENV PATH={_PATH}", "ENV LANG=C.UTF-8", 'CMD ["python3"]'):
        yield "--change"
        yield change
