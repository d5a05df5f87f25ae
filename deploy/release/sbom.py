"""Write what the service image is made of, as CycloneDX 1.6: `python -m deploy.release.sbom build/dist`.

The Python packages are those of the lock. Their licences, and which needs which, are read from the packages installed
here, which are of the same versions. With `--image NAME`, the Debian packages of that image are listed as well.
"""

import argparse
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import clarion
from deploy.release.locked import Locked, of_image

# The library's decorators hide from type checkers what its classes have.
_Document = Any
_Part = Any

# Files of the console's page that are released elsewhere; their sums are in the console's README.
VENDORED: Final = (("npm", "uplot", "1.6.32", "MIT"),)
_ASK_WITHIN_S: Final = 60


def bom(packages: Sequence[Locked], debian: Iterable[tuple[str, str]] = ()) -> _Document:
    """Return the bill of materials."""
    made: _Document = Bom()
    made.metadata.component = root = _component(
        "pypi", "clarion", clarion.__version__, "MIT", ComponentType.APPLICATION
    )
    components = {name: _component("pypi", name, version, _licence(name)) for name, version in packages}
    others = [_component(*one) for one in VENDORED]
    others += [_component("deb", name, version, None, namespace="debian") for name, version in debian]
    for component in (*components.values(), *others):
        made.components.add(component)
    made.register_dependency(root, [*components.values(), *others])
    for name, component in components.items():
        made.register_dependency(component, [components[needed] for needed in _needs(name) if needed in components])
    return made


def text(made: _Document) -> str:
    """Return the document. Raises ValueError if it is not valid by CycloneDX's own schema."""
    written = JsonV1Dot6(made).output_as_string(indent=2)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(written):
        raise ValueError(f"the document is not valid: {wrong}")
    return written


def _component(
    kind: str,
    name: str,
    version: str,
    licence: str | None,
    type_: ComponentType = ComponentType.LIBRARY,
    *,
    namespace: str | None = None,
) -> _Part:
    address = PackageURL(kind, namespace, name, version)
    licences = [LicenseFactory().make_from_string(licence)] if licence else []
    make: Any = Component
    return make(name=name, version=version, type=type_, purl=address, bom_ref=address.to_string(), licenses=licences)


def _licence(name: str) -> str | None:
    """Return the licence that a package names: an expression, else what its classifiers or its own words say."""
    found: Any = importlib.metadata.metadata(name)  # typed without `get`, which it has
    classifiers: list[str] = found.get_all("Classifier") or []
    classified = [one.rpartition("::")[2].strip() for one in classifiers if "License ::" in one]
    own: str = found.get("License") or ""
    named: str = found.get("License-Expression") or " AND ".join(classified) or own.partition("\n")[0]
    return named.strip() or None


def _needs(name: str) -> Iterator[str]:
    for line in importlib.metadata.requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def debian_packages(image: str) -> list[tuple[str, str]]:
    """Return name and version of each Debian package in an image. Raises `SubprocessError` when it cannot be asked."""
    listing = ("-W", "-f", "${Package} ${Version}\n")
    command = ["docker", "run", "--rm", "--network=none", "--entrypoint=dpkg-query", image, *listing]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_WITHIN_S, check=True)  # noqa: S603
    return [(name, version) for name, version in (line.split() for line in done.stdout.splitlines())]


def main() -> None:
    """Write the document, and say what it lists."""
    parser = argparse.ArgumentParser(prog="make sbom", description=__doc__)
    parser.add_argument("to", type=Path, help="the folder for the document")
    parser.add_argument("--image", default="", help="an image whose Debian packages are to be listed, too")
    given = parser.parse_args()
    try:
        debian = debian_packages(given.image) if given.image else []
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit(f"the packages of {given.image} cannot be listed: {error}")
    packages = of_image()
    given.to.mkdir(parents=True, exist_ok=True)
    path = given.to / f"clarion-{clarion.__version__}.cdx.json"
    path.write_text(text(bom(packages, debian)) + "\n")
    missing = "" if debian else "; those of the base image are not among them: name it by ARGS='--image clarion:dev'"
    print(f"{path}: {len(packages)} Python packages, {len(debian)} of Debian{missing}")


if __name__ == "__main__":
    main()
