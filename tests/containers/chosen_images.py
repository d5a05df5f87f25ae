"""Which images the tests use: those of the environment, else those of `make images`, else the compose file's."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.docker import engine
from tests.conftest import repository

COMPOSE: Final = repository() / "docker-compose.yml"
BUILT: Final = repository() / "build" / "images" / "images.env"
NEEDED: Final = ("SERVICE_IMAGE", "KAFKA_IMAGE", "MONGODB_IMAGE", "LOAD_BALANCER_IMAGE")
# before conftest.py takes what a shell has: none of these is a setting of Clarion
_ENVIRON: Final = dict(os.environ)


def chosen(compose: Path = COMPOSE, built: Path = BUILT, environ: Mapping[str, str] = _ENVIRON) -> dict[str, str]:
    """The images by their variables."""
    defaults: dict[str, str] = dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", compose.read_text()))
    lines = built.read_text().splitlines() if built.exists() else []
    local = {name: value for name, _, value in (line.partition("=") for line in lines)}
    return {name: environ.get(name) or local.get(name, default) for name, default in defaults.items()}


def absent() -> str:
    """Why the tests cannot run here, in words; empty when they can."""
    if why := engine.absent():
        return f"no Docker engine: {why}"
    images = chosen()
    missing = [images[name] for name in NEEDED if not engine.has_image(images[name])]
    return f"these images are missing: {', '.join(missing)}: run make images, or pull and build them" if missing else ""
