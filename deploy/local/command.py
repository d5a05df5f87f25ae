"""Define the commands `clarion local up|status|down|reset|env|demo`."""

import asyncio
import contextlib
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated, Final

import psutil
import typer
from rich.console import Console
from rich.markup import escape

from clarion.settings import Settings
from deploy.local import leftovers, state, table
from deploy.local.demo import demo_publisher
from deploy.local.demo.account import Account
from deploy.local.demo.demo import Demo, killer
from deploy.local.errors import StackError
from deploy.local.servers import platform
from deploy.local.servers.ports import HOST
from deploy.local.stack import MAKE_ROOM, Plan, Stack, running

local = typer.Typer(help="Run the whole system on this machine, from Python packages alone.", no_args_is_help=True)
console = Console(stderr=True, highlight=False)
out = Console(highlight=False)

DOWN_WITHIN_S: Final = 60.0
DETACHED_WITHIN_S: Final = 150.0


@local.command()
def up(
    detach: Annotated[bool, typer.Option(help="Leave the stack running in the background once it is ready.")] = False,
    servers_only: Annotated[bool, typer.Option(help="Start only Kafka and MongoDB.")] = False,
    gateways: Annotated[int, typer.Option(min=1, max=16, help="How many gateways to start.")] = 2,
    with_feed: Annotated[bool, typer.Option("--feed", help="Keep publishing the sample GitHub events.")] = False,
    full_speed: Annotated[
        bool, typer.Option(help="Run Kafka and MongoDB as fast as for benchmarks, with more memory.")
    ] = False,
) -> None:
    """Start everything, wait until it is ready, and show what runs where. Ctrl-C ends it; data stays until `reset`."""
    with _explained():
        platform.check()
        if detach:
            _detach()
            return
        extra = [demo_publisher.SPEC] if with_feed and not servers_only else []
        plan = Plan(gateways=gateways, servers_only=servers_only, full_speed=full_speed, extra=extra)
        asyncio.run(_up(state.default_folder(), plan))


@local.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show what runs where; exit with 0 only if everything is ready."""
    with _explained():
        folder = state.default_folder()
        known = folder.load()
        found = table.rows(folder, known)
        is_up = known.ready and bool(found) and all(row["ready"] for row in found)
        if as_json:
            out.print_json(json.dumps({"ready": is_up, "processes": found}))
        elif found:
            out.print(table.render(found))
        else:
            console.print("nothing runs here; start it by [bold]clarion local up[/]")
        if folder.path.exists() and (full := folder.full()):
            console.print(f"[bold red]✗[/] {escape(full)}. {MAKE_ROOM}")
    raise typer.Exit(0 if is_up else 1)


@local.command()
def down() -> None:
    """End everything, also what a killed supervisor left."""
    with _explained():
        _down(state.default_folder())


@local.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False) -> None:
    """End everything and delete its data and logs."""
    with _explained():
        folder = state.default_folder()
        if not folder.path.exists():
            console.print("there is nothing to delete")
            return
        if not yes:
            typer.confirm(f"Delete {folder.path}?", abort=True)
        try:
            _down(folder)
        except StackError as error:  # `reset` is the cure for a state that cannot be read
            console.print(f"[yellow]processes that still run cannot be found:[/] {escape(str(error))}")
        shutil.rmtree(folder.path)
        console.print(f"deleted {escape(str(folder.path))}")


@local.command()
def env() -> None:
    """Print the running stack's settings for a shell: `eval "$(clarion local env)"`."""
    for name, value in state.default_folder().load().env.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@local.command("feed", hidden=True)
def run_feed() -> None:
    """Publish the sample events until ended (a process of `up --feed`)."""
    asyncio.run(demo_publisher.run(Settings.from_env()))


@local.command()
def demo(
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="How often to play the sample events.")] = 20,
    seconds: Annotated[float, typer.Option(min=0, help="Over how many seconds to spread them.")] = 12.0,
    kill: Annotated[str | None, typer.Option(help="The process to kill (SIGKILL) halfway.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Publish all sample events, half of the users offline at first; exit with 0 only if each is accounted for."""
    with _explained():
        account = asyncio.run(_demo(rounds, seconds, kill))
    if as_json:
        out.print_json(json.dumps(dict(account.rows())))
    else:
        out.print(table.account(account.rows()))
    if not account.is_complete():
        console.print(f"[bold red]✗[/] these notifications are unaccounted for: {sorted(account.unaccounted)[:10]}")
        raise typer.Exit(1)
    console.print("[bold green]✓[/] every notification is accounted for")


async def _demo(rounds: int, seconds: float, kill: str | None) -> Account:
    """Play the demonstration on the running stack, or on one of its own that ends with it."""
    folder = state.default_folder()
    known = folder.load()
    if state.find(known.supervisor) and known.ready:
        _report("the demonstration uses the running stack")

        def kill_known(name: str, number: signal.Signals) -> None:
            process = state.find(folder.load().processes.get(name))
            if process is None:
                raise StackError(f"there is no process {name}", "name one that `clarion local status` shows")
            process.send_signal(number)

        return await _play(known.env, rounds, seconds, kill, kill_known)
    platform.check()
    async with running(folder, Plan(), _report) as stack:
        return await _play(stack.env, rounds, seconds, kill, stack.kill)


async def _play(
    env: dict[str, str], rounds: int, seconds: float, kill: str | None, kill_by: Callable[[str, signal.Signals], None]
) -> Account:
    player = Demo(Settings.from_env(env), rounds, seconds, _report)
    return await player.play(killer(kill_by, kill, _report) if kill else lambda: None)


@contextmanager
def _explained() -> Generator[None]:
    """Print a `StackError` for a person, and exit with code 1."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it would log each try while the broker starts
    try:
        yield
    except StackError as error:
        console.print(f"[bold red]✗[/] {escape(str(error))}")
        raise typer.Exit(1) from None


async def _up(folder: state.Folder, plan: Plan) -> None:
    stop = asyncio.Event()
    stack: Stack | None = None

    def on_signal() -> None:
        if stop.is_set() and stack:
            stack.kill_all()  # the second signal ends everything at once
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    starting = asyncio.current_task()
    assert starting
    interrupt = asyncio.create_task(_cancel_when(stop, starting))
    began = time.monotonic()
    try:
        async with running(folder, plan, _report) as stack:
            interrupt.cancel()
            _welcome(folder, stack, time.monotonic() - began)
            watching = asyncio.create_task(stack.watch())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([watching, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if watching.done():
                watching.result()
            watching.cancel()
            _report("ending everything (Ctrl-C again ends it at once)")
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    _report("everything has ended")


async def _cancel_when(stop: asyncio.Event, task: "asyncio.Task[None]") -> None:
    await stop.wait()
    task.cancel()


def _report(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone, or the log's disk full: neither must end the stack
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {escape(line)}")


def _welcome(folder: state.Folder, stack: Stack, seconds: float) -> None:
    with contextlib.suppress(OSError):
        console.print(table.render(table.rows(folder, folder.load())))
        console.print(f"[bold green]everything is ready[/] after {seconds:.1f} s")
        if url := stack.env["CLARION_GATEWAY_URL"].partition(",")[0]:
            console.print(
                f"the health of each: its admin address + /health; the logs: {escape(os.path.relpath(folder.logs))}"
            )
            console.print(f"watch notifications arrive at [bold]{url}[/]   (Ctrl-C ends everything)")
            console.print(f"see how the system does at [bold]http://{HOST}:{stack.ports['console']}[/]")


def _detach() -> None:
    """Run `up` again as a process in a session of its own, and wait until it says that it is ready."""
    folder = state.default_folder()
    folder.make()
    if state.find(folder.load().supervisor):
        raise StackError(
            "the stack is running already", "look at it by `clarion local status`, or end it by `clarion local down`"
        )
    arguments = [a for a in sys.argv[1:] if a != "--detach"]
    log = folder.log("supervisor")
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "clarion.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    console.print(f"the stack starts in the background; its log is {log}")
    deadline = time.monotonic() + DETACHED_WITHIN_S
    while time.monotonic() < deadline:
        known = folder.load()
        if known.ready and known.supervisor and known.supervisor.pid == process.pid:
            console.print(table.render(table.rows(folder, known)))
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.terminate()
    raise StackError(f"the stack did not start:\n{folder.full() or log.read_text()[-2000:]}", f"read {log}")


def _down(folder: state.Folder) -> None:
    known = folder.load()
    supervisor = state.find(known.supervisor)
    if supervisor and supervisor.pid != os.getpid():
        console.print(f"ending the stack, whose supervisor is process {supervisor.pid}")
        supervisor.terminate()
        try:
            supervisor.wait(DOWN_WITHIN_S)
        except psutil.TimeoutExpired:
            console.print("[yellow]the supervisor does not end, and is killed[/]")
            supervisor.kill()
    left = leftovers.find(folder.load())
    for process in left:
        console.print(f"ending a process that was left: {process.pid} {process.name()}")
    leftovers.end(left)
    if not supervisor and not left:
        console.print("nothing runs here")
