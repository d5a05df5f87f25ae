"""`clarion audit`: its options, and what it prints."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from typer.testing import CliRunner

from clarion.cli import audit_command
from clarion.cli.main import app
from clarion.operating.ledger.judging.states import Balance, Fault, Finding, Home
from clarion.operating.ledger.report import Report, Span

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def report(*findings: Finding, **homes: int) -> Report:
    counted = Counter({Home(name): count for name, count in homes.items()})
    faults = Counter(finding.fault for finding in findings)

    def again() -> Iterator[Finding]:
        return iter(findings)

    return Report(Span(), NOW, 7, 5, Balance(counted, missing=len(findings)), faults, 1, 2, again)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--since", "1h", "--until", "2h"], "before --until"),
        (["--since", "yesterday"], "--since"),
        (["--until", "2026-12-24"], "--until"),
        (["--since", "0h"], "number above 0"),
    ],
)
def test_a_wrong_span_is_a_usage_error(arguments: list[str], named: str) -> None:
    result = CliRunner().invoke(app, ["audit", *arguments], env={"CLARION_ENV": "dev"})
    assert result.exit_code == 2
    assert named in result.stderr


def test_json_has_the_equation_and_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding(Fault.NOWHERE, "lost", f"id {n}", "t", 0, n) for n in range(30)]
    audit_command._print_json(report(*findings, pending=3, dead=1))
    told = msgspec.json.decode(capsys.readouterr().out)
    assert told["accepted"] == 34 == sum(told["states"].values()) + told["unaccounted"]
    assert list(told["states"]) == [str(home) for home in Home]
    assert (told["records"], told["ids"], told["overdue"], told["scheduled_earlier"]) == (7, 5, 1, 2)
    assert told["faults"] == {"nowhere": 30}
    assert told["findings"][29] == msgspec.to_builtins(findings[29])


def test_json_without_findings_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    audit_command._print_json(report(pending=3))
    assert msgspec.json.decode(capsys.readouterr().out)["findings"] == []


def test_tables_show_the_first_of_each_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    findings = [Finding(Fault.NOWHERE, "[lost]", f"id {n}") for n in range(30)]
    findings.append(Finding(Fault.NO_DEAD_LETTER, "none", None, "t", 1, 2))
    audit_command._print_tables(report(*findings, pending=1_003))
    out = capsys.readouterr().out
    assert "1,003" in out
    assert out.count("[lost]") == 20
    assert "nowhere: 10 more" in out
    assert "t/1/2" in out
    assert "this does not fit" in out


def test_a_warning_alone_is_no_failure() -> None:
    assert report(Finding(Fault.COMMIT_BEHIND, "behind", "x")).is_clean
    assert not report(Finding(Fault.CONTRADICTION, "odd", "x")).is_clean
