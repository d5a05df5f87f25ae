"""What goes wrong with the local stack, with what to do about it."""


class StackError(Exception):
    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}\n  → {cure}")
