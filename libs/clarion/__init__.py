"""Clarion: notifications delivered once, to the right person, live or later."""

__version__ = "0.1.0"
