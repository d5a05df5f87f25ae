"""`clarion stream`: which processes start with what."""

from typing import Any

import pytest
from typer.testing import CliRunner

from clarion.cli.main import app
from clarion.settings import Settings
from services.stream import command

ROLES = (["lane", "--lane", "low"], ["receipts"], ["scheduler"], ["observer"])


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role[0])
def test_no_role_needs_the_secret_of_tokens(role: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them checks a token, so none has to be given what signs them."""
    started: list[Settings] = []

    def run(service: str, main: Any, settings: Settings) -> None:
        started.append(settings)

    monkeypatch.setattr(command, "run", run)
    none = dict.fromkeys(("CLARION_JWT_SECRET", "CLARION_JWT_SECRET_FILE", "CLARION_JWKS_URL"))
    result = CliRunner().invoke(app, ["stream", "--role", *role], env=none | {"CLARION_ENV": "production"})
    assert result.exit_code == 0, result.output
    assert [settings.jwt_secret for settings in started] == [""]
