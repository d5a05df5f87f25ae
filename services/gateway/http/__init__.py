"""The gateway's HTTP: the inbox, acknowledgements by POST, disconnecting, the page, and what describes them."""
