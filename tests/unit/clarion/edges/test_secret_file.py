"""A secret in a file: read anew for each use, kept while it is being replaced, and shown nowhere."""

from pathlib import Path

import pytest

from clarion.edges.errors import EdgeError
from clarion.edges.secret_file import Secret


def test_a_secret_is_read_anew_for_each_use(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    secret = Secret("CLARION_KAFKA_PASSWORD", path=str(file))
    assert secret.read() == "first"
    file.write_text("second\n")
    assert secret.read() == "second"


def test_a_secret_stays_while_its_file_is_being_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "password"
    file.write_text("first")
    secret = Secret("CLARION_KAFKA_PASSWORD", path=str(file))
    assert secret.read() == "first"
    file.write_text("")
    assert secret.read() == "first"
    file.unlink()
    assert secret.read() == "first"
    (line,) = caplog.messages
    assert "stays in use" in line
    assert "first" not in line


@pytest.mark.parametrize(
    ("content", "told"), [(None, "CLARION_X_FILE=.* cannot be read"), (b"", "is empty"), (b"\xff\xfe", "it is no text")]
)
def test_a_file_without_a_secret_is_named_with_its_cure(tmp_path: Path, content: bytes | None, told: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EdgeError, match=told):
        Secret("CLARION_X", path=str(file)).read()


def test_a_secret_is_in_no_repr() -> None:
    assert "hunter2" not in repr(Secret("CLARION_KAFKA_PASSWORD", "hunter2"))
