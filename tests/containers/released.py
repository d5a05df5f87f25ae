"""The image of the version that was released last, which the tests upgrade from and roll back to."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from deploy.docker.images import build
from tests.conftest import repository

VERSION: Final = "0.2.0"
COMMIT: Final = "2b11e04716b1"  # of the tag v0.2.0: a clone need not have tags
TAG: Final = f"clarion:{VERSION}"


def image(images: Mapping[str, str]) -> str:
    """Build the released version, on the base of the others, and return its image. Skips where git has no history."""
    archive = subprocess.run(
        ["git", "-C", str(repository()), "archive", COMMIT], capture_output=True, timeout=60, check=False
    )
    if archive.returncode:
        pytest.skip(f"the sources of {VERSION} are not in this clone: git fetch --unshallow")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
            packed.extractall(folder, filter="data")
        build.service(images["BASE_IMAGE"], TAG, Path(folder), VERSION)
    return TAG
