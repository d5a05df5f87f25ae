"""The options of `clarion dlq` mean one choice of letters, or are refused."""

import pytest
import typer
from typer.testing import CliRunner

from clarion.cli.dead_letters.options import chosen_of, filter_of
from clarion.cli.main import app
from clarion.contracts.api.dead_letters import Filter
from clarion.contracts.records.dead_letters import Reason

NONE = (None,) * 7


def test_a_choice_is_ids_a_filter_or_all() -> None:
    wanted = Filter(reason=Reason.INVALID)
    assert chosen_of(["a"], Filter(), everything=False, dry_run=True).ids == ["a"]
    assert chosen_of(None, wanted, everything=False, dry_run=False).filter == wanted
    assert chosen_of(None, Filter(), everything=True, dry_run=False).all


@pytest.mark.parametrize(
    ("ids", "wanted", "everything", "again"),
    [
        (None, Filter(), False, False),
        (["a"], Filter(), True, False),
        (["a"], Filter(topic="x"), False, False),
        (None, Filter(topic="x"), False, True),
        (["a"] * 1001, Filter(), False, False),
    ],
)
def test_an_unclear_choice_is_a_usage_error(
    ids: list[str] | None, wanted: Filter, everything: bool, again: bool
) -> None:
    with pytest.raises(typer.BadParameter):
        chosen_of(ids, wanted, everything=everything, dry_run=False, again=again)


def test_a_time_is_a_moment_or_how_long_ago() -> None:
    assert filter_of(*NONE) == Filter()
    wanted = filter_of(None, None, "1h", "2026-12-24T18:00:00Z", None, None, None)
    assert wanted.since
    assert wanted.until
    with pytest.raises(typer.BadParameter, match="--since"):
        filter_of(None, None, "yesterday", None, None, None, None)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["replay"], "--all"),
        (["purge", "--all", "--reason", "invalid"], "--all"),
        (["list", "--reason", "mine"], "foreign"),
        (["edit", "a", "--value", "x", "--value-file", "-"], "--value-file"),
        (["edit", "a", "--header", "x"], "NAME=VALUE"),
        (["list", "--until", "x"], "--until"),
    ],
)
def test_a_wrong_call_of_dlq_exits_with_2(arguments: list[str], word: str) -> None:
    result = CliRunner().invoke(app, ["dlq", *arguments], env={"TERM": "dumb", "COLUMNS": "200"})
    assert result.exit_code == 2
    assert word in result.stderr
