"""Brings items from the mailbox and from the store to a user's connections, and has the safety net."""
