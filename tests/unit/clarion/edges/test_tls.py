"""TLS files: what cannot be used is named with its cure; what changes is used by the next connection."""

import ssl
from pathlib import Path

import pytest

from clarion.edges.errors import EdgeError
from clarion.edges.tls import FreshTls, TlsFiles
from tests.certificates import Authority, Certified


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def client(authority: Authority) -> Certified:
    return authority.issue("client")


def files(authority: Authority, client: Certified) -> TlsFiles:
    return TlsFiles("CLARION_KAFKA", str(authority.ca), str(client.cert), str(client.key))


def test_a_context_checks_servers_by_the_named_authority_alone(authority: Authority) -> None:
    context = FreshTls(TlsFiles("CLARION_KAFKA", str(authority.ca))).context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("part", "content", "told"),
    [
        ("ca", None, r"CLARION_KAFKA_CA_FILE=.* cannot be read \(No such file or directory\): name a PEM file"),
        ("ca", "nothing", "CLARION_KAFKA_CA_FILE=.* has nothing in PEM: write it"),
        ("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "CLARION_KAFKA_CA_FILE=.* no cert"),
        ("cert", None, "CLARION_KAFKA_CERT_FILE=.* cannot be read"),
        ("key", None, "CLARION_KAFKA_KEY_FILE=.* cannot be read"),
        ("key", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "cannot be used together"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_cure(
    authority: Authority, client: Certified, part: str, content: str | None, told: str
) -> None:
    path = {"ca": authority.ca, "cert": client.cert, "key": client.key}[part]
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(EdgeError, match=told) as caught:
        files(authority, client).check()
    assert "c2VjcmV0" not in str(caught.value)


def test_another_certificates_key_is_refused(authority: Authority, client: Certified) -> None:
    other = authority.issue("other")
    with pytest.raises(EdgeError, match=r"KEY_FILE=.*other-key.* cannot be used together \(KEY_VALUES_MISMATCH\)"):
        TlsFiles("CLARION_KAFKA", str(authority.ca), str(client.cert), str(other.key)).check()


@pytest.mark.parametrize(("cert", "key", "told"), [("a", "", "KEY_FILE is missing"), ("", "b", "CERT_FILE is missing")])
def test_half_of_a_pair_is_refused(cert: str, key: str, told: str) -> None:
    with pytest.raises(EdgeError, match=told):
        TlsFiles("CLARION_MONGODB", cert=cert, key=key).check()


def test_files_that_did_not_change_are_not_loaded_again(authority: Authority, client: Certified) -> None:
    fresh = FreshTls(files(authority, client))
    assert fresh.context() is fresh.context()


def test_changed_files_are_used_by_the_next_connection(authority: Authority, client: Certified, tmp_path: Path) -> None:
    fresh = FreshTls(files(authority, client))
    before = fresh.context()
    Authority(tmp_path)  # a new one in the same file
    after = fresh.context()
    assert after is not before
    assert after.get_ca_certs() != before.get_ca_certs()


def test_files_that_are_being_replaced_leave_the_former_in_use(
    authority: Authority, client: Certified, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = FreshTls(files(authority, client))
    before, key = fresh.context(), client.key.read_bytes()
    client.key.write_bytes(key[:100])
    assert fresh.context() is before
    client.key.unlink()
    assert fresh.context() is before
    assert all("the former ones stay in use" in line for line in caplog.messages)
    assert len(caplog.messages) == 2
    client.key.write_bytes(key)
    assert fresh.context() is not before


def test_files_that_were_never_usable_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        FreshTls(TlsFiles("CLARION_KAFKA", str(tmp_path / "none"))).context()
