"""Serves the gateway's HTTP: inbox, acknowledgements by POST, disconnecting, the demo page, and API descriptions."""
