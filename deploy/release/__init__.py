"""What a release is made of, beyond what Python's own tools build."""
