"""Watching the running system: alerts, dashboards, monitors and the doctor while it works, and while it is broken."""
