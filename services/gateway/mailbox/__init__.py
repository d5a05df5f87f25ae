"""Leases and reads the gateway's mailbox, and writes the sessions by which the stream finds its users."""
