"""Certificates made on the spot: an authority, and what it issues, as files in a folder."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and its key, each as a file, and both in one file."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """An authority of its own, whose certificate is the file `ca`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.ca = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def issue(self, name: str, *hosts: str, organization: str = "tests") -> Certified:
        """A certificate for these hosts, of the common name `name`, in files of that name; they may exist already."""
        made = self._authority.issue_cert(*(hosts or (name,)), common_name=name, organization_name=organization)
        key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,  # the only form that Kafka reads
            serialization.NoEncryption(),
        )
        chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
        found = Certified(*(self._folder / f"{name}{kind}.pem" for kind in ("", "-key", "-both")))
        for path, content in ((found.cert, chain), (found.key, key), (found.both, key + chain)):
            draft = path.with_suffix(".new")
            draft.write_bytes(content)
            draft.replace(path)
        return found
