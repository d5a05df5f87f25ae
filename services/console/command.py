"""Define the command `clarion console`."""

from clarion.operating.processes import admin_ports
from clarion.process import run
from clarion.settings import Settings
from services.console.main import main


def console() -> None:
    """Run the console: the page for operators, and what it asks over HTTP (CLARION_PORT, 8082 by default)."""
    settings = Settings.from_env()
    admin_ports(settings)  # what is wrong with CLARION_PROCESSES is said before anything starts
    run("console", main, settings)
