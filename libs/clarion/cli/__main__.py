"""`python -m clarion.cli`, for where the command is not on the path."""

from clarion.cli.main import main

main()
