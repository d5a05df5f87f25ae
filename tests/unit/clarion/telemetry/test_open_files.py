"""The count of open files: right after each open and close, and without a look at each."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from clarion.telemetry.open_files import open_files

FOLDER: Final = Path("/proc/self/fd")


class Older:
    """The folder of open files where its size is 0, as in all of /proc before Linux 6.2."""

    def stat(self) -> os.stat_result:
        return os.stat_result((0,) * 10)

    def iterdir(self) -> Iterator[Path]:
        return FOLDER.iterdir()


def test_it_counts_what_is_opened_and_closed() -> None:
    before = open_files()
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
    assert open_files() == before + 5
    for one in opened:
        os.close(one)
    assert open_files() == before


def test_the_listing_of_older_systems_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = open_files()
    monkeypatch.setattr("clarion.telemetry.open_files._COUNTED", Older())
    assert open_files() == counted


def test_a_system_that_counts_them_is_not_asked_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    if not FOLDER.stat().st_size:
        pytest.skip("Linux counts open files since 6.2 only")
    monkeypatch.setattr(Path, "iterdir", None)
    assert open_files() > 0
