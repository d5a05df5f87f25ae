"""Show what runs where, as one table."""

import os
import time

import httpx2
from rich.table import Table

from deploy.local import state
from deploy.local.servers.ports import HOST


def rows(folder: state.Folder, known: state.StackState) -> list[dict[str, object]]:
    """Return one row a process, read from the live system."""
    return [_row(folder, known, name, process) for name, process in known.processes.items()]


def _row(folder: state.Folder, known: state.StackState, name: str, noted: state.ProcessState) -> dict[str, object]:
    process, admin = state.find(noted), known.ports.get(f"{name}-admin")
    return {
        "name": name,
        "pid": noted.pid if process else None,
        "ready": process is not None and (admin is None or _is_ready(admin)),
        "uptime_s": round(time.time() - noted.started) if process else None,
        "restarts": noted.restarts,
        "address": f"{HOST}:{known.ports[name]}" if name in known.ports else None,
        "admin": f"http://{HOST}:{admin}" if admin else None,
        "log": os.path.relpath(folder.log(name)),
    }


def _is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://{HOST}:{port}/healthz/ready", timeout=2, trust_env=False).is_success
    except httpx2.TransportError:
        return False


def render(found: list[dict[str, object]]) -> Table:
    """Return the rows as a table to print."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("process", "state", "pid", "up", "restarts", "address", "admin"):
        table.add_column(column, no_wrap=True, justify="right" if column in ("pid", "up", "restarts") else "left")
    for row in found:
        shown = "[green]ready[/]" if row["ready"] else "[yellow]not ready[/]" if row["pid"] else "[red]down[/]"
        table.add_row(
            str(row["name"]),
            shown,
            str(row["pid"] or "–"),
            f"{row['uptime_s']} s" if row["pid"] else "–",
            str(row["restarts"]),
            str(row["address"] or ""),
            str(row["admin"] or ""),
        )
    return table


def account(found: list[tuple[str, int]]) -> Table:
    """Return the figures of a demonstration as a table to print."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right", style="bold")
    for name, count in found:
        table.add_row(name, f"{count:,}")
    return table
