"""What describes the services' HTTP."""

from starlette.applications import Starlette
from starlette.testclient import TestClient

from clarion.web.openapi import served


def test_paragraphs_of_docstrings_are_not_served_indented() -> None:
    described = {
        "description": "One.\n\n    Two.",
        "parts": [{"description": "Three.\n    Four."}],
        "title": "a\n  b",
    }
    found = TestClient(Starlette(routes=[served("/openapi.json", described)])).get("/openapi.json").json()
    assert found["description"] == "One.\n\nTwo."
    assert found["parts"][0]["description"] == "Three.\nFour."
    assert found["title"] == "a\n  b"
