"""Finds commands by entry points, and imports each when it is called: listing them with their help imports none."""

import ast
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

GROUP: Final = "clarion.commands"


class LazyGroup(TyperGroup):
    """A group that also has the commands of all installed entry points in `GROUP`."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
            self.add_command(_Lazy(entry))


class _Lazy(TyperCommand):
    """Stands for a command in lists, and loads the real one when arguments are to be parsed."""

    def __init__(self, entry: EntryPoint) -> None:
        super().__init__(name=entry.name, help=_described(entry))
        self._entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        found = self._entry.load()
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(self._entry.name)(found)
            found = single
        found._add_completion = False
        command = get_command(found)
        command.name = self._entry.name
        return command.make_context(info_name, args, parent, **extra)


def _described(entry: EntryPoint) -> str:
    """Return a command's line of help, read from its source: the function's docstring, or else the module's."""
    try:
        spec = find_spec(entry.module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        return f"(This command is not installed: {entry.module} is missing.)"
    module = ast.parse(Path(spec.origin).read_bytes())
    functions = [n for n in module.body if isinstance(n, ast.FunctionDef) and n.name == entry.attr]
    return (ast.get_docstring(functions[0] if functions else module) or "").partition("\n")[0]
