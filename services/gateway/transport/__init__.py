"""The bytes of a client's connection: WebSocket, and an event stream where that is not possible."""
