"""The scheduler role: holds what is not due, releases it, and ends what has expired."""
