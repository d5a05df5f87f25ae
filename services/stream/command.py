"""Define the command `clarion stream`: `--role lane --lane urgent`, `--role receipts`, `scheduler` or `observer`."""

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from typing import Annotated, Final

import typer

from clarion.contracts.lanes import Lane
from clarion.process import Main, run
from clarion.settings import Settings
from services.stream.main import run_lane, run_receipts, run_scheduler
from services.stream.observer.observer import run_observer


class Role(StrEnum):
    """What a stream process does."""

    LANE = "lane"
    RECEIPTS = "receipts"
    SCHEDULER = "scheduler"
    OBSERVER = "observer"


_MAINS: Final[Mapping[Role, Main]] = {
    Role.RECEIPTS: run_receipts,
    Role.SCHEDULER: run_scheduler,
    Role.OBSERVER: run_observer,
}


def stream(
    role: Annotated[Role, typer.Option(help="The role of this process.")],
    lane: Annotated[Lane | None, typer.Option(help="The lane of a process with --role lane.")] = None,
) -> None:
    """Run one role of the stream: a lane, the receipts worker, the scheduler or the observer."""
    if (role is Role.LANE) != (lane is not None):
        raise typer.BadParameter("--role lane needs --lane, and no other role takes it")
    main: Main = _MAINS[role] if lane is None else partial(run_lane, lane=lane)
    run(f"stream-{lane or role}", main, Settings.from_env(knows_users=False))  # no role checks tokens
