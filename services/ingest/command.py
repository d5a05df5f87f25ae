"""Define the command `clarion ingest`."""

from clarion.process import run
from clarion.settings import Settings
from services.ingest.main import main


def ingest() -> None:
    """Run ingest: accept notifications over HTTP (CLARION_PORT, 8080 by default)."""
    run("ingest", main, Settings.from_env())
