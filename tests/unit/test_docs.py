"""Links in the repository's pages lead somewhere, and what they call a function is in the file that they lead to."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import repository

_FENCED = re.compile(r"```.*?```", re.DOTALL)
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_NAME = re.compile(r"`([A-Za-z_][\w.]*)`")


def pages() -> list[Path]:
    root = repository()
    folders = ("docs", "services", "libs", "deploy", "tests")
    ours = (page for folder in folders for page in sorted((root / folder).rglob("*.md")))
    return [*root.glob("*.md"), *(page for page in ours if "node_modules" not in page.parts)]


@cache
def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", lambda m: m[1] or "", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}


@cache
def defined(module: Path) -> set[str]:
    """Functions, classes, their members and assigned names, with and without what they are in."""

    def within(node: ast.AST, outer: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            inner = outer
            match child:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield from (name, outer + name)
                    inner = f"{outer}{name}."
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    yield from (name, outer + name)
                case _:
                    pass
            yield from within(child, inner)

    return set(within(ast.parse(module.read_text()), ""))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(repository())))
def test_links_lead_to_what_they_say(page: Path) -> None:
    wrong: list[str] = []
    for text, target in _LINK.findall(_FENCED.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            wrong.append(f"no file {target}")
        elif anchor and anchor not in anchors(file):
            wrong.append(f"no heading {target}")
        elif file.suffix == ".py" and (named := _NAME.fullmatch(text.replace("\n", " "))):
            module = ".".join(file.with_suffix("").parts)
            if not named[1].endswith(".py") and named[1] not in defined(file) and not module.endswith(named[1]):
                wrong.append(f"no {named[1]} in {target}")
    assert wrong == []
