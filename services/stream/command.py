"""Define the command `clarion stream`: `--role lane --lane urgent`, `--role receipts`, `--role scheduler`."""

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from clarion.contracts.lanes import Lane
from clarion.process import Main, run
from clarion.settings import Settings
from services.stream.main import run_lane, run_receipts, run_scheduler


class Role(StrEnum):
    """What a stream process does."""

    LANE = "lane"
    RECEIPTS = "receipts"
    SCHEDULER = "scheduler"


def stream(
    role: Annotated[Role, typer.Option(help="The role of this process.")],
    lane: Annotated[Lane | None, typer.Option(help="The lane of a process with --role lane.")] = None,
) -> None:
    """Run one role of the stream: a lane, the receipts worker or the scheduler."""
    if (role is Role.LANE) != (lane is not None):
        raise typer.BadParameter("--role lane needs --lane, and no other role takes it")
    main: Main
    if lane is not None:
        name, main = f"stream-{lane}", partial(run_lane, lane=lane)
    else:
        name, main = f"stream-{role}", run_receipts if role is Role.RECEIPTS else run_scheduler
    run(name, main, Settings.from_env())
