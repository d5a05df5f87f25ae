"""The command `clarion`."""
