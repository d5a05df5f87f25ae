"""One connected client: what it has been sent and may be sent, and its way to its socket."""
