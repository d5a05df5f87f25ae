"""Mailbox → WebSocket: delivers to connected users, replays to returning ones."""
