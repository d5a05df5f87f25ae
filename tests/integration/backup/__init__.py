"""Servers whose data goes back to a backup, or is gone, while the other one keeps its own."""
