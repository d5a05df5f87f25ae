"""The command `clarion gateway`."""

from clarion.process import run
from clarion.settings import Settings
from services.gateway.main import main


def gateway() -> None:
    """Run a gateway: deliver to connected users, and serve the page to watch it (CLARION_PORT, 8081 by default)."""
    run("gateway", main, Settings.from_env())
