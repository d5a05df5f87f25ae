"""What to do when a dependency fails: back off, with jitter and a cap."""
