"""The runbook: generated parts follow the table, and what people write stays."""

import pytest

from clarion.rules.objectives import OBJECTIVES
from clarion.rules.troubles import TROUBLES
from deploy.runbook import BEGIN, END, UnknownSection, updated
from tests.conftest import repository

PAGE = (repository() / "docs" / "runbook.md").read_text()


def test_each_rule_has_a_section_and_each_section_a_rule() -> None:
    titles = [line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith("### ")]
    assert titles == [one.title for one in (*OBJECTIVES, *TROUBLES)]
    assert PAGE.count(BEGIN) == PAGE.count(END) == len(titles)


def test_what_is_written_by_hand_stays_where_it_is() -> None:
    by_hand = PAGE.replace(
        f"{END}\n\n### Late deliveries", f"{END}\n\nAsk **Ann** first.\n\n- and Bob\n\n### Late deliveries"
    )
    assert by_hand != PAGE
    assert updated(by_hand) == by_hand


def test_text_before_the_first_section_stays() -> None:
    changed = PAGE.replace("# Runbook\n", "# Runbook\n\nCall 112.\n")
    assert updated(changed) == changed


def test_a_generated_part_that_somebody_changed_is_made_anew() -> None:
    changed = PAGE.replace("| **cause** |", "| **reason** |")
    assert changed != PAGE
    assert updated(changed) == PAGE


def test_a_section_without_a_rule_goes_unless_it_has_a_text() -> None:
    empty = PAGE + f"\n### Of an old rule\n\n{BEGIN}\n\nold\n{END}\n"
    assert updated(empty) == PAGE
    with pytest.raises(UnknownSection, match="Of an old rule"):
        updated(empty + "\nCall Ann.\n")


def test_a_page_without_sections_gets_them_all() -> None:
    assert updated("# Runbook\n").count(BEGIN) == len(OBJECTIVES) + len(TROUBLES)
