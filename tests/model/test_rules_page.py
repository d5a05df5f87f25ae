"""`docs/delivery.md`, the model and the code agree on the rules of delivery: none is missing in one of them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import repository
from tests.model.rules import RULES
from tests.model.world import scenarios

ROOT: Final = repository()
PAGE: Final = ROOT / "docs" / "delivery.md"
ID: Final = r"D-[a-z]+(?:-[a-z]+)*"
NAMED: Final = re.compile(rf"(?<![\w-]){ID}(?![\w-])")
TARGET: Final = re.compile(r"\]\(([^)]+)\)")
FOLDERS: Final = ["deploy", "docs", "libs", "services", "tests"]
SUFFIXES: Final = {".js", ".md", ".py"}


@dataclass(frozen=True)
class Section:
    """A rule on the page, with the `scenario` in which the model leaves it out, or an `excuse` why it does not."""

    id: str
    kept_by: tuple[Path, ...]
    scenario: str
    excuse: str


def sections() -> list[Section]:
    text = PAGE.read_text()
    found = re.findall(rf"^### ({ID})\n(.*?)(?=^##|\Z)", text, re.M | re.S)
    return [_section(id_, body) for id_, body in found]


def _section(id_: str, body: str) -> Section:
    lines = dict(re.findall(r"^- (Kept by|Model:) (.*?)(?=^- |\Z)", body, re.M | re.S))
    targets: list[str] = TARGET.findall(lines.get("Kept by", ""))
    model = " ".join(lines.get("Model:", "no line").split())
    left_out = re.fullmatch(r"left out in `(\w+)`\.", model)
    excused = re.fullmatch(r"not covered, since (.+)", model)
    assert left_out or excused, f"{id_}: {model}"
    return Section(
        id_,
        tuple((PAGE.parent / target).resolve() for target in targets),
        left_out[1] if left_out else "",
        excused[1] if excused else "",
    )


SECTIONS: Final = sections()


def test_each_rule_has_one_section_on_the_page() -> None:
    ids = [section.id for section in SECTIONS]
    assert sorted(ids) == sorted(set(ids))
    assert len(re.findall(r"^### ", PAGE.read_text(), re.M)) == len(ids), "a heading of this level is a rule's id"


def test_each_rule_of_the_model_is_on_the_page() -> None:
    assert {rule.id for rule in RULES} <= {section.id for section in SECTIONS}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.id)
def test_each_rule_of_the_page_is_left_out_once(section: Section) -> None:
    """In the scenario that the page names; or the page says why the model does not cover it."""
    left_out_in = [rule.scenario for rule in RULES if rule.id == section.id]
    assert left_out_in == ([] if section.excuse else [getattr(scenarios, section.scenario)])


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.id)
def test_what_keeps_a_rule_names_its_id(section: Section) -> None:
    """A reader of the code finds the rule by it. That the links lead somewhere is tested in `test_docs.py`."""
    assert section.kept_by
    silent = [path.name for path in section.kept_by if section.id not in NAMED.findall(path.read_text())]
    assert silent == []


def test_each_id_that_is_named_is_on_the_page() -> None:
    ids = {section.id for section in SECTIONS}
    unknown = {
        f"{path.relative_to(ROOT)}: {named}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SUFFIXES and path.is_file() and "node_modules" not in path.parts
        for named in NAMED.findall(path.read_text())
        if named not in ids
    }
    assert unknown == set()
