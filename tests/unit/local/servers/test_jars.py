"""Kafka's jars against their lock."""

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
    with pytest.raises(StackError, match="was not resolved"):
        jars.verify(tmp_path, locked)


def test_the_lock_names_kafka_with_versions_and_no_addresses() -> None:
    text = jars.LOCK.read_text()
    assert "kafka_2.13-4.3.1.jar" in jars.read_lock(text)
    assert "://" not in text
