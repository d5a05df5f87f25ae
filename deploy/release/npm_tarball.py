"""Packs the browser SDK as `npm pack` does, without npm: `python -m deploy.release.npm_tarball build/dist`.

The tarball has, in the folder `package`, what `files` in package.json names, and the files that npm always takes.
"""

import gzip
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parent.parent.parent
SOURCE: Final = REPOSITORY / "libs/clarion-js"
_PACKED_AT: Final = 499162500  # 1985-10-26, as npm does: the same sources make the same bytes


def pack(to: Path) -> Path:
    """Write the tarball into the folder `to`, which is made when it is missing; return the tarball's path."""
    package = json.loads((SOURCE / "package.json").read_text())
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{package['name'].removeprefix('@').replace('/', '-')}-{package['version']}.tgz"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, file in sorted(_files(package["files"])):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size, entry.mtime, entry.mode = file.stat().st_size, _PACKED_AT, 0o644
            with file.open("rb") as content:
                tar.addfile(entry, content)
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
    return path


def _files(named: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield the name of each file in the package, and where it is now."""
    yield "LICENSE", REPOSITORY / "LICENSE"
    for name in ("package.json", "README.md"):
        yield name, SOURCE / name
    for name in named:
        path = SOURCE / name
        for file in [path] if path.is_file() else path.rglob("*"):
            if file.is_file():
                yield str(file.relative_to(SOURCE)), file


if __name__ == "__main__":
    print(pack(Path(sys.argv[1])))
