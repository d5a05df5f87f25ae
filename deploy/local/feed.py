"""Keeps the sample GitHub events coming, so that there is something to watch."""

from deploy.local.processes import Spec

SPEC = Spec("feed", ("feed",), tier=3)
