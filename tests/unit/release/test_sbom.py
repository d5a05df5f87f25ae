"""The bill of materials is valid, and has each package of the lock with its licence and what it needs."""

import json
from functools import cache
from typing import Any

import pytest

from deploy.release.locked import REPOSITORY, of_image
from deploy.release.sbom import VENDORED, bom, text


@cache
def document() -> dict[str, Any]:
    written: dict[str, Any] = json.loads(text(bom(of_image(), [("libc6", "2.36-9+deb12u14")])))
    return written


def components() -> dict[str, Any]:
    return {one["bom-ref"]: one for one in document()["components"]}


def test_it_lists_each_package_of_the_lock() -> None:
    addresses = {f"pkg:pypi/{one.name}@{one.version}" for one in of_image()}
    assert addresses <= set(components())
    assert "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14" in components()


def test_each_python_package_has_a_licence() -> None:
    python = [one for ref, one in components().items() if ref.startswith("pkg:pypi/")]
    assert [one["name"] for one in python if not one.get("licenses")] == []


def test_it_says_what_a_package_needs() -> None:
    needs = {one["ref"].split("@")[0]: one.get("dependsOn", []) for one in document()["dependencies"]}
    assert any(ref.startswith("pkg:pypi/pymongo@") for ref in needs["pkg:pypi/motor"])


def test_files_from_elsewhere_are_of_the_version_named() -> None:
    page = (REPOSITORY / "services/console/README.md").read_text()
    for _, name, version, _ in VENDORED:
        assert f"`{name}` {version}" in page


def test_a_document_that_is_not_valid_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(self: object, indent: int) -> str:
        return '{"bomFormat": "x"}'

    monkeypatch.setattr("deploy.release.sbom.JsonV1Dot6.output_as_string", written)
    with pytest.raises(ValueError, match="not valid"):
        text(bom([]))
