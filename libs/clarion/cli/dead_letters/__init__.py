"""The command `clarion dlq`."""
