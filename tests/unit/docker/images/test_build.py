"""How images are built: by which arguments, of which folders, and under which names."""

import re
import sys
from pathlib import Path

import pytest

from deploy.docker import engine
from deploy.docker.engine import EngineError
from deploy.docker.images import base, build, contexts, names
from tests.conftest import repository

ROOT = repository()
DOCKERFILES = [ROOT / "deploy/docker/Dockerfile", *sorted(contexts.FOLDER.glob("*/Dockerfile"))]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_an_image_is_on_the_base_that_is_named_and_not_root(file: Path) -> None:
    lines = file.read_text().splitlines()
    stages = [line for line in lines if line.startswith("FROM ")]
    assert stages
    assert {line.split()[1] for line in stages} == {"${BASE_IMAGE}"}
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert not users[-1].startswith(("root", "0"))


def test_each_image_has_a_folder_with_a_dockerfile() -> None:
    assert {image.folder for image in names.BESIDE} == {file.parent.name for file in DOCKERFILES[1:]}


def test_the_compose_file_takes_each_variable() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    taken = set(re.findall(r"\$\{([A-Z_]+)", text))
    assert set(names.environment(with_monitoring=True)) <= taken
    page = (ROOT / "deploy/docker/README.md").read_text()
    assert [name for name in sorted(taken) if f"`{name}`" not in page] == []


def test_what_pip_is_told_here_reaches_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_configured", lambda: iter([("PIP_INDEX_URL", "http://own"), ("PIP_NO_INPUT", "1")]))
    assert build._pip({}) == {"PIP_INDEX_URL": "http://own"}
    assert build._pip({"PIP_INDEX_URL": "http://shell"}) == {"PIP_INDEX_URL": "http://shell"}


def test_what_an_image_needs_is_laid_out_anew(tmp_path: Path) -> None:
    (image,) = [one for one in names.BESIDE if one.folder == "load-balancer"]
    to = tmp_path / "context"
    to.mkdir()
    (to / "left").touch()
    contexts.lay_out(image, to)
    assert [path.name for path in to.iterdir()] == ["Dockerfile"]


def test_a_machine_without_sources_of_packages_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="build on Debian"):
        base.sources((tmp_path / "missing",))


def test_a_command_that_fails_or_hangs_is_an_error() -> None:
    with pytest.raises(EngineError, match="code 3"):
        engine.run([sys.executable, "-c", "exit(3)"], within_s=20)
    with pytest.raises(EngineError, match=r"over 0\.2 s"):
        engine.run(["sleep", "20"], within_s=0.2)


def test_no_engine_is_told_by_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine.absent() == "there is no command docker"
