"""Runs the command as `python -m clarion.cli`, where it is not on the path."""

from clarion.cli.main import main

main()
