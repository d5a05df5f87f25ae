"""Turns events of other systems into notifications: whom an event concerns, and what to tell them. Pure."""
