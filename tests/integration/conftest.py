import pytest


@pytest.fixture(autouse=True)
def _nothing_overlooked(nothing_overlooked: None) -> None:
    """After each test here."""
