"""What operators do and ask, shared by the command line and the console."""
