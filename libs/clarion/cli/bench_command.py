"""`clarion bench`: a bounded load on a running Clarion, and its latencies against the objectives."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table

from clarion.cli.times import seconds
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings, SettingsError

if TYPE_CHECKING:
    from clarion.operating.bench.figures import Report, Tally
    from clarion.operating.bench.load import Recipient, Target
    from clarion.operating.bench.plan import Plan

_TOKEN_S: Final = 3_600
_SHOWN_EVERY_S: Final = 0.1


def bench(
    rate: Annotated[float, typer.Option(help="How many notifications to publish a second, 2,000 at most.")] = 50,
    lasting: Annotated[str, typer.Option("--for", help="For how long, such as 10s or 5m, 10m at most.")] = "10s",
    users: Annotated[int, typer.Option(help="To how many users of its own, each with a connection.")] = 20,
    publish_token: Annotated[
        str | None, typer.Option(help="A token to publish with, unless CLARION_JWT_SECRET is set.", show_default=False)
    ] = None,
    subscribe_token: Annotated[
        list[str] | None,
        typer.Option(help="A token of a user called clarion-bench-…; give one for each user.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put a bounded load on a running Clarion, and report its latencies; exit with 0 only if all objectives are met.

    It publishes at CLARION_INGEST_URL in all lanes, to users of its own, who are connected at CLARION_GATEWAY_URL.
    What they do not acknowledge expires after ten minutes. The times are from the call to publish until a client has
    the notification, so they include the network to this machine. The exit code is 1 when an objective is missed, and 2
    when the load could not be put on.
    """
    from clarion.cli.topic_commands import say_red
    from clarion.client import ClientError
    from clarion.operating.bench.load import BenchError
    from clarion.operating.bench.plan import Plan, PlanError

    settings = Settings.from_env(knows_users=not publish_token)
    plan = Plan(rate, seconds(lasting), len(subscribe_token) if subscribe_token else users)
    try:
        plan.check(recipient_rate=settings.recipient_rate, connections_per_ip=settings.connections_per_ip)
        target = _target(settings, plan, publish_token, subscribe_token)
        found = asyncio.run(_run(plan, target, quiet=as_json or not sys.stderr.isatty()))
    except PlanError as error:
        raise typer.BadParameter(str(error)) from error
    except (BenchError, ClientError) as error:
        say_red(str(error))
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(_as_json(found))).decode())
    else:
        _show(found)
    raise typer.Exit(0 if found.is_met else 1)


def _target(settings: Settings, plan: "Plan", publish_token: str | None, tokens: list[str] | None) -> "Target":
    from clarion.operating.bench.load import Target
    from clarion.operating.bench.plan import SENDER

    token = publish_token or _minted(settings, SENDER, PUBLISH)
    return Target(settings.ingest_url, settings.gateway_urls, token, _recipients(settings, plan, tokens))


def _recipients(settings: Settings, plan: "Plan", tokens: list[str] | None) -> list["Recipient"]:
    from clarion.contracts.ids import new_id
    from clarion.operating.bench.load import Recipient
    from clarion.operating.bench.plan import PREFIX

    if tokens:
        return [Recipient(_subject(token), token) for token in tokens]
    names = [f"{PREFIX}{new_id()[-8:]}-{number}" for number in range(plan.users)]
    return [Recipient(name, _minted(settings, name, SUBSCRIBE)) for name in names]


def _minted(settings: Settings, sub: str, scope: str) -> str:
    if not settings.jwt_secret:
        raise SettingsError(
            "CLARION_JWT_SECRET must be set, to sign tokens with: or give --publish-token and --subscribe-token"
        )
    return mint(settings, sub=sub, scope=scope, ttl_s=_TOKEN_S)


def _subject(token: str) -> str:
    """Return whom a token is for, unverified: gateways verify it."""
    import jwt

    try:
        return str(jwt.decode(token, options={"verify_signature": False})["sub"])
    except (jwt.PyJWTError, KeyError) as error:
        raise typer.BadParameter(f"--subscribe-token is no token with a subject: {error}") from error


async def _run(plan: "Plan", target: "Target", *, quiet: bool) -> "Report":
    from clarion.operating.bench import load

    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[arrived]} arrived"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as shown:
        task = shown.add_task("publishing", total=plan.total, arrived=0)
        shown_at = 0.0

        def show(tally: "Tally") -> None:
            nonlocal shown_at
            if time.monotonic() - shown_at > _SHOWN_EVERY_S:
                shown_at = time.monotonic()
                shown.update(task, completed=len(tally.published), arrived=len(tally.latencies))

        return await load.run(plan, target, show)


def _as_json(found: "Report") -> dict[str, object]:
    lanes = [{**msgspec.to_builtins(lane), "is_met": lane.is_met} for lane in found.lanes]
    return {**msgspec.to_builtins(found), "lanes": lanes, "is_met": found.is_met}


def _show(found: "Report") -> None:
    out = Console(highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("lane", "published", "accepted", "arrived", "lost", "p50", "p95", "p99", "worst", "objective", ""):
        table.add_column(column, justify="left" if column in ("lane", "") else "right", no_wrap=True)
    for lane in found.lanes:
        counts = (str(count) for count in (lane.published, lane.accepted, lane.arrived, lane.lost))
        latencies = (_ms(latency) for latency in (lane.p50, lane.p95, lane.p99, lane.worst, lane.objective))
        table.add_row(lane.lane, *counts, *latencies, "[green]✓[/]" if lane.is_met else "[bold red]missed[/]")
    out.print(table)
    out.print(f"{found.rate:,.1f} a second over {found.seconds:.1f} s; {found.repeats} came twice")
    for error in found.errors:
        out.print(f"error: {error}", style="red", markup=False)


def _ms(latency: float | None) -> str:
    return "–" if latency is None else f"{latency * 1000:,.0f} ms"
