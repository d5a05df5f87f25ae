"""Clarion in containers: the service image, and everything that `docker-compose.yml` starts beside it."""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parent.parent.parent
