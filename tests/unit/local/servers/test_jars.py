"""Kafka's jars against their lock."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.servers import jars


def test_a_jar_that_differs_from_the_lock_is_named_and_removed(tmp_path: Path) -> None:
    (tmp_path / "good.jar").write_bytes(b"good")
    locked = jars.read_lock("# what\n" + jars.lock_text([tmp_path / "good.jar"]))
    jars.verify(tmp_path, locked)
    (tmp_path / "good.jar").write_bytes(b"evil")
    with pytest.raises(StackError, match=r"good\.jar"):
        jars.verify(tmp_path, locked)
    with pytest.raises(StackError, match=r"no jar good\.jar was found"):
        jars.verify(tmp_path, locked)


def test_the_lock_names_kafka_with_versions_and_no_addresses() -> None:
    text = jars.LOCK.read_text()
    assert "kafka_2.13-4.3.1.jar" in jars.read_lock(text)
    assert "://" not in text


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one jar, whose content is `good`; Maven's cache is a folder of the test's own."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "maven"))
    (tmp_path / "good.jar").write_bytes(b"good")
    path = tmp_path / "good.lock"
    path.write_text(jars.lock_text([tmp_path / "good.jar"]))
    return path


def test_stacks_that_start_together_fetch_in_turn(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_fetching, ends = threading.Lock(), [tmp_path / "one", tmp_path / "two", tmp_path / "three"]

    def resolve(_endpoint: str, _cache: Path | None = None) -> list[Path]:
        assert is_fetching.acquire(blocking=False)
        time.sleep(0.05)
        is_fetching.release()
        return [tmp_path / "good.jar"]

    def fetch(folder: Path) -> list[Path]:
        return jars.jars(folder, "group:good", lock)

    monkeypatch.setattr(jars, "_resolve", resolve)
    with ThreadPoolExecutor(len(ends)) as threads:
        fetched = list(threads.map(fetch, ends))
    assert [jar.read_bytes() for (jar,) in fetched] == [b"good"] * len(ends)


@pytest.mark.parametrize("is_readable", [True, False], ids=["cut jar", "cut description"])
def test_what_is_cut_in_mavens_cache_is_fetched_anew(
    tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch, is_readable: bool
) -> None:
    cut = tmp_path / "cache" / "good.jar"
    cut.parent.mkdir()
    cut.write_bytes(b"go")

    def resolve(_endpoint: str, cache: Path | None = None) -> list[Path]:
        if cache is None and not is_readable:
            raise StackError("no XML", "")
        return [tmp_path / "good.jar" if cache else cut]

    monkeypatch.setattr(jars, "_resolve", resolve)
    (jar,) = jars.jars(tmp_path / "libs", "group:good", lock)
    assert jar.read_bytes() == b"good"
