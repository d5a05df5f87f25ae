"""What goes wrong with the local stack, and what to do about it."""

from typing import Final

RESET: Final = "delete the data of the stack by `clarion local reset`"


class StackError(Exception):
    """Says `what` is wrong with the local stack, and its `cure`, both for a person."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}\n  → {cure}")
