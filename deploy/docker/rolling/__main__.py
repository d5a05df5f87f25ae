"""`python -m deploy.docker.rolling upgrade|rollback IMAGE`: see `make upgrade` and `make rollback`."""

import argparse
import os
import sys
import time
from typing import Final

from deploy.docker import REPOSITORY
from deploy.docker.engine import EngineError, absent
from deploy.docker.rolling import compose, order
from deploy.docker.rolling.compose import Project
from deploy.docker.rolling.replace import replace

TOPICS: Final = "topics"


def main() -> None:
    """Replace all services, and say what is to do next. Exit with 1 when a successor does not become ready."""
    parser = argparse.ArgumentParser(prog="python -m deploy.docker.rolling", description=__doc__)
    parser.add_argument("direction", choices=("upgrade", "rollback"))
    parser.add_argument("image", help="the image that all services are to run, such as clarion:0.3.0")
    parser.add_argument("--env-file", help="the file of variables that the project was started with")
    parser.add_argument("--service", action="append", choices=order.UPGRADE, help="only this one, and others so named")
    given = parser.parse_args()
    if why := absent():
        sys.exit(f"there is no Docker engine: {why}")
    began = time.monotonic()
    try:
        _roll(compose.project(_options(given.env_file)), given.direction, given.image, given.service)
    except EngineError as error:
        sys.exit(f"{error}\nWhat was replaced so far stays. {_cure(given.direction)}")
    except KeyboardInterrupt:
        sys.exit(f"\ninterrupted. What was replaced so far stays. {_cure(given.direction)}")
    what = "all services run" if not given.service else f"{', '.join(given.service)} run"
    print(f"{what} {given.image} after {time.monotonic() - began:.0f} s.")
    print(f"Keep SERVICE_IMAGE={given.image} in .env or the --env-file, else the next `docker compose up` undoes this.")
    print("Now look whether all is well: docker compose run --rm topics doctor")


def _options(env_file: str | None) -> list[str]:
    """Return the options of compose. It heeds COMPOSE_FILE itself where that is set."""
    files = [] if os.environ.get("COMPOSE_FILE") else ["--file", str(REPOSITORY / "docker-compose.yml")]
    variables = ["--env-file", env_file] if env_file else []
    return ["--project-directory", str(REPOSITORY), *files, *variables]


def _roll(project: Project, direction: str, image: str, only: list[str] | None) -> None:
    compose.image_id(image)  # before anything is touched
    services = order.UPGRADE if direction == "upgrade" else order.ROLLBACK
    if direction == "upgrade" and not only:
        project.run_once(TOPICS, image)  # processes of the new version may need topics that the old one does not know
        _say("topics: as the new version declares them")
    for service in services:
        if not only or service in only:
            replace(project, service, image, _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _cure(direction: str) -> str:
    other = "rollback" if direction == "upgrade" else "upgrade"
    return f"Run the same command again to go on, or `{other}` with the other image to go back."


if __name__ == "__main__":
    main()
