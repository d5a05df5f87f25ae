"""Where the local stack cannot run, it says what to do instead."""

import ctypes
from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.servers import mongodb, platform


def test_where_there_are_no_wheels_it_says_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongodb, "binary", lambda: None)
    with pytest.raises(StackError, match="docker compose up"):
        platform.check()


def test_a_missing_libcurl_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(mongodb, "binary", lambda: Path("mongod"))
    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(StackError, match="apt-get install libcurl4"):
        platform.check()
