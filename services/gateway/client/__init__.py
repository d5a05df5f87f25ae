"""Keeps what one connected client was sent and may be sent, and writes to it."""
