"""`docs/errors.md` names each error that there is, and none that there is not."""

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import pytest

import clarion.client
from clarion.contracts.api import problems
from clarion.contracts.api.close_codes import Close
from clarion.contracts.records.dead_letters import Reason
from tests.conftest import repository

ROOT = repository()
PAGE = (ROOT / "docs" / "errors.md").read_text()
SDK_TYPES = (ROOT / "libs" / "clarion-js" / "src" / "clarion.d.ts").read_text()


def told(section: str) -> list[str]:
    """What the first column of a section's table names in code style."""
    _, _, rest = PAGE.partition(f"# {section}\n")
    text = re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)


def calls(*names: str) -> Iterator[ast.Call]:
    """Every call of a function or a method of one of these names, in what is not a test."""
    return (call for call in _every_call() if _name(call.func) in names)


@lru_cache(1)
def _every_call() -> list[ast.Call]:
    paths = [path for folder in ("libs/clarion", "services") for path in (ROOT / folder).rglob("*.py")]
    return [node for path in paths for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def _name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def texts(argument: ast.expr) -> list[str]:
    """The texts that an argument may be: itself, or either side of a condition."""
    sides = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
    return [side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)]


def problem_types() -> list[str]:
    return [urn.removeprefix(problems._URN) for urn in (*problems.TYPES.values(), problems.KEY_REUSED)]


def field_codes() -> list[str]:
    made = [code for call in calls("FieldError", "Invalid", "_invalid") for code in texts(call.args[1])]
    return [*made, *(code for _, code in problems._KINDS)]


def error_frame_codes() -> list[str]:
    """Those of close codes from 4400 on, as `Connection.close` says them, and those of what was not done."""
    closing = [code.name.lower() for code in Close if code >= Close.PROTOCOL]
    return closing + [code for call in calls("refuse") for code in texts(call.args[0])]


def exceptions() -> list[str]:
    public = {name: getattr(clarion.client, name) for name in clarion.client.__all__}
    return [name for name, found in public.items() if inspect.isclass(found) and issubclass(found, Exception)]


def browser_codes() -> list[str]:
    (declared,) = re.findall(r"type ErrorCode = ([^;]+);", SDK_TYPES)
    return re.findall(r'"(\w+)"', declared)


@pytest.mark.parametrize(
    ("section", "there_are"),
    [
        ("Problem types", problem_types()),
        ("Field codes", field_codes()),
        ("Error frames", error_frame_codes()),
        ("Close codes", [str(code.value) for code in Close]),
        ("Dead letters", [reason.value for reason in Reason]),
        ("Exceptions of the Python SDK", exceptions()),
        ("Errors of the browser SDK", browser_codes()),
    ],
)
def test_each_error_is_on_the_page_and_no_other(section: str, there_are: Sequence[str]) -> None:
    assert there_are
    assert sorted(told(section)) == sorted(set(there_are))
