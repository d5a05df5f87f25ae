"""Who may connect, how a connection is greeted, and how long it may live."""
