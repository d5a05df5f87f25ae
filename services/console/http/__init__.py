"""The console's HTTP: its routes, their description, and the page."""
