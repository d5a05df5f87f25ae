"""Carries the bytes of a client's connection: by WebSocket, or by Server-Sent Events where that is not possible."""
