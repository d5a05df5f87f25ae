"""Runs the command `clarion`: the entry point of the script, and of `python -m clarion.cli`."""

import sys


def main() -> None:
    """Run the command, or leave with what to install: `pip install clarion` brings the Python SDK only."""
    try:
        from clarion.cli import main as command
    except ModuleNotFoundError as error:
        if (error.name or "clarion").partition(".")[0] == "clarion":
            raise
        sys.exit(f"The command clarion needs {error.name}, which is not installed: pip install 'clarion[server]'")
    command.main()


if __name__ == "__main__":
    main()
