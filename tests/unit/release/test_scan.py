"""A scan of the locks fails for what it finds, and never takes missing data for a clean result."""

import json

import pytest

from deploy.release.scan import Scan, read_npm, read_pip_audit, report

VULNERABLE = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}


def audit(*packages: object) -> Scan:
    return read_pip_audit("lock", json.dumps({"dependencies": packages}), "")


def test_what_pip_audit_finds_is_named_with_its_cure() -> None:
    assert audit(VULNERABLE).found == ("a 1: PYSEC-1, mended in 2",)
    assert audit({"name": "a", "version": "2", "vulns": []}) == Scan("lock")


def test_no_answer_of_pip_audit_is_no_clean_result() -> None:
    assert read_pip_audit("lock", "", "ERROR: no connection\n").absent == "ERROR: no connection"
    half = audit(VULNERABLE, {"name": "b", "skip_reason": "not found"})
    assert half == Scan("lock", ("a 1: PYSEC-1, mended in 2",), "there is none about 1 of 2 packages")


def test_what_npm_finds_is_named() -> None:
    said = json.dumps({"vulnerabilities": {"b": {"severity": "high"}}})
    assert read_npm("lock", said, "").found == ("b: high",)
    assert read_npm("lock", json.dumps({"vulnerabilities": {}}), "") == Scan("lock")


def test_no_answer_of_npm_is_no_clean_result() -> None:
    assert read_npm("lock", "", "npm error network").absent == "npm error network"
    assert read_npm("lock", json.dumps({"message": "403 Forbidden"}), "").absent == "403 Forbidden"


def test_only_a_strict_scan_fails_without_data(capsys: pytest.CaptureFixture[str]) -> None:
    absent = Scan("lock", absent="no network")
    assert report([absent], is_strict=False) == 0
    assert report([absent], is_strict=True) == 1
    assert report([Scan("lock", ("a 1: PYSEC-1",))], is_strict=False) == 1
    assert "lock: NOT SCANNED, since the data cannot be had: no network" in capsys.readouterr().out
