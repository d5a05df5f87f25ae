"""The command `clarion gateway`."""

from clarion.process import run
from clarion.settings import Settings
from services.gateway.main import main


def gateway() -> None:
    """Deliver to connected users over WebSocket, and serve the page to watch it."""
    run("gateway", main, Settings.from_env())
