"""Build the images: the base, the service, and the servers beside it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import clarion
from deploy.docker import REPOSITORY, engine
from deploy.docker.images import base, contexts, names

BUILD_WITHIN_S: Final = 900
# What tells pip where packages come from. The values reach the stage that installs, and no file.
PIP_VARIABLES: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")


def build(to: Path, *, base_image: str, with_monitoring: bool) -> Path:
    """Build all images, and return the file of the variables that name them, in the folder `to`.

    Without a `base_image` one is made of the distribution's packages. Raises `EngineError`.
    """
    chosen = base_image or names.BASE
    if not base_image:
        base.build(chosen)
    service(chosen)
    for image in names.BESIDE:
        if with_monitoring or not image.is_monitoring:
            folder = contexts.lay_out(image, to / image.folder)
            _build(folder / "Dockerfile", folder, image.name, {"BASE_IMAGE": chosen})
    file = to / "images.env"
    variables = names.environment(with_monitoring=with_monitoring) | {"BASE_IMAGE": chosen}
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    return file


def service(
    base_image: str, tag: str = names.SERVICE, sources: Path = REPOSITORY, version: str = clarion.__version__
) -> None:
    """Build the image of all services on `base_image`, of this tree or of that of a version. Raises `EngineError`."""
    arguments = {"BASE_IMAGE": base_image, "VERSION": version, **_revision(sources), **_pip(os.environ)}
    _build(sources / "deploy/docker/Dockerfile", sources, tag, arguments)


def _build(file: Path, context: Path, tag: str, arguments: Mapping[str, str]) -> None:
    given = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    # the machine's own network: its way to packages need not exist from the engine's
    engine.run(
        ["docker", "build", "--quiet", "--network=host", *given, "--file", str(file), "--tag", tag, str(context)],
        within_s=BUILD_WITHIN_S,
    )


def _revision(sources: Path) -> dict[str, str]:
    """Return what the labels say of the sources; nothing where they are no checkout."""
    try:
        commit, made = engine.read(["git", "-C", str(sources), "log", "--max-count=1", "--format=%H %cI"]).split()
    except (engine.EngineError, FileNotFoundError):
        return {}
    return {"REVISION": commit, "CREATED": made}


def _pip(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of pip that hold here, by the environment or else by pip's own configuration."""
    configured = dict(_configured())
    found = {name: environ.get(name) or configured.get(name, "") for name in PIP_VARIABLES}
    certificates = environ.get("PIP_CERT") or configured.get("PIP_CERT", "")
    if certificates and base.CERTIFICATES.exists():
        found["PIP_CERT"] = str(base.CERTIFICATES)  # there the base has what this machine trusts
    return {name: value for name, value in found.items() if value}


def _configured() -> Iterator[tuple[str, str]]:
    """Yield what pip's configuration says, by the names of the variables."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=30, check=True
    )
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in ("global", "install"):
            yield f"PIP_{option.upper().replace('-', '_')}", value.strip("'\"")
