"""`Subscriber`: connections, reconnecting, positions and marks."""
