"""What is wrong with a setting of an edge, in words that name the setting, its fault and the cure."""


class EdgeError(ValueError):
    """A setting of an edge is missing or wrong. The message never has a secret in it."""

    def __init__(self, variable: str, fault: str, cure: str) -> None:
        super().__init__(f"{variable} {fault}: {cure}")
