"""The scheduler role: holds what is not due, releases it, ends what has expired, shows what a limit held back."""
