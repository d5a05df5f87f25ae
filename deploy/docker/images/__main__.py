"""`python -m deploy.docker.images`: build every image that `docker-compose.yml` needs, without an image registry."""

import argparse
import sys
import time
from pathlib import Path

from deploy.docker import REPOSITORY, engine
from deploy.docker.images import names
from deploy.docker.images.build import build
from deploy.local.errors import StackError


def main() -> None:
    """Build, and say how to use what was built. Exit with 1 when that fails."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument(
        "--base", default="", help="an image with Python 3.11 to 3.13 and bash to build on, instead of one of its own"
    )
    parser.add_argument("--monitoring", action="store_true", help="build Prometheus and Alertmanager as well")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "build" / "images", help="where build files go")
    given = parser.parse_args()
    if why := engine.absent():
        sys.exit(f"there is no Docker engine to build with: {why}")
    started = time.monotonic()
    try:
        file = build(given.to, base_image=given.base, with_monitoring=given.monitoring)
    except (engine.EngineError, StackError) as error:
        sys.exit(str(error))
    for name in names.environment(with_monitoring=given.monitoring).values():
        size = int(engine.read(["docker", "image", "inspect", "--format", "{{.Size}}", name]))
        print(f"{name:<30}{size / 1e6:>8.0f} MB")
    print(f"built in {time.monotonic() - started:.0f} s; start them: docker compose --env-file {file} up")


if __name__ == "__main__":
    main()
