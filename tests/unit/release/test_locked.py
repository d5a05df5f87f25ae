"""The lock of the image: what is for Linux, in the versions that are tested."""

from deploy.release.locked import REPOSITORY, Locked, of_image, read

LOCK = """\
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:aa
typing_Extensions==4.1 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
uvloop==0.22.1 ; sys_platform != 'win32' \\
    --hash=sha256:dd
"""


def test_packages_for_other_platforms_are_left_out() -> None:
    assert list(read(LOCK)) == [Locked("typing-extensions", "4.1"), Locked("uvloop", "0.22.1")]


def test_the_image_has_the_versions_that_tests_run_on() -> None:
    tested = dict(read((REPOSITORY / "requirements-dev.txt").read_text()))
    packages = of_image()
    assert len(packages) > 40
    assert [one for one in packages if tested.get(one.name) != one.version] == []


def test_the_build_has_the_setuptools_that_tests_run_on() -> None:
    tested = dict(read((REPOSITORY / "requirements-dev.txt").read_text()))
    (setuptools,) = read((REPOSITORY / "deploy/docker/build-requirements.txt").read_text())
    assert tested[setuptools.name] == setuptools.version
