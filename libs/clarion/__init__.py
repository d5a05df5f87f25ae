"""Clarion: notifications delivered once, to the right person, live or later."""

__version__ = "0.2.0"
