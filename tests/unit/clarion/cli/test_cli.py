"""The `clarion` command: what it lists, what it loads, and how it fails."""

import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner, Result

from clarion.cli import client_commands
from clarion.cli.main import app
from clarion.contracts.api.frames import Received
from clarion.contracts.lanes import Lane

SECRET = "s" * 32
SERVICES = ("console", "gateway", "ingest", "local", "stream")


def run(*arguments: str, **environment: str) -> Result:
    variables = dict.fromkeys(["CLARION_ENV", "CLARION_JWT_SECRET", "CLARION_JWKS_URL", "CLARION_TOKEN"])
    return CliRunner().invoke(app, arguments, env=variables | environment)


def test_help_lists_own_commands_and_those_of_the_services() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in ("topics", "token", "publish", "tail", "audit", "doctor", "trace", "user", "bench", "dlq", *SERVICES):
        assert f" {name} " in result.stdout


def test_listing_and_tokens_import_nothing_heavy() -> None:
    """Faust and uvicorn are for those commands that run a service."""
    program = """
import sys
from clarion.cli.main import app
app(sys.argv[1:], standalone_mode=False)
heavy = {"faust", "uvicorn", "aiokafka", "motor", "pymongo", "websockets", "httpx2"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    environment = {"CLARION_ENV": "dev", "CLARION_JWT_SECRET": SECRET}
    for arguments in (["token", "--sub", "bob"], ["--help"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


def test_a_services_command_is_loaded_when_it_is_called() -> None:
    result = run("stream", "--help")
    assert result.exit_code == 0
    assert "--role" in result.stdout
    assert "--lane" in result.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    result = run("tokne")
    assert result.exit_code == 2
    assert "token" in result.stderr


def test_the_version_has_three_numbers() -> None:
    assert run("--version").stdout.strip().count(".") == 2


def test_a_token_holds_what_was_asked_for() -> None:
    result = run("token", "--sub", "bob", "--scope", "a b", "--ttl", "2h", CLARION_ENV="dev", CLARION_JWT_SECRET=SECRET)
    claims = jwt.decode(result.stdout.strip(), SECRET, ["HS256"], audience="clarion")
    assert (claims["sub"], claims["scope"], claims["exp"] - claims["iat"]) == ("bob", "a b", 7200)


@pytest.mark.parametrize("ttl", ["", "1", "1w", "-1h", "0s", "h", "1.5h"])
def test_a_ttl_needs_a_number_and_a_unit(ttl: str) -> None:
    result = run("token", "--sub", "bob", f"--ttl={ttl}", CLARION_ENV="dev", CLARION_JWT_SECRET=SECRET)
    assert result.exit_code == 2
    assert "90s, 15m, 1h or 7d" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["token", "--sub", "bob"], {}, "CLARION_JWT_SECRET"),
        (["token", "--sub", "bob"], {"CLARION_ENV": "dev"}, "CLARION_JWT_SECRET"),
        (["topics", "check"], {"CLARION_ENV": "dev", "CLARION_REPLICATION": "many"}, "CLARION_REPLICATION"),
        (["publish", "bob", "hi"], {"CLARION_ENV": "dev"}, "CLARION_TOKEN"),
        (["ingest"], {"CLARION_ENV": "dev", "CLARION_PORT": "99999"}, "CLARION_PORT"),
        (["doctor"], {"CLARION_PROCESSES": "gateway"}, "CLARION_PROCESSES"),
        (["bench"], {"CLARION_ENV": "dev"}, "CLARION_JWT_SECRET"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    arguments: list[str], environment: dict[str, str], named: str
) -> None:
    result = run(*arguments, **environment)
    assert result.exit_code == 2
    assert named in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_broker_that_is_not_there_is_one_line() -> None:
    result = run("topics", "check", CLARION_ENV="dev", CLARION_KAFKA="127.0.0.1:1")
    assert result.exit_code == 1
    assert "127.0.0.1:1 (CLARION_KAFKA)" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["doctor", "--id", "42"], "a UUID of 36 characters"),
        (["trace", "01938d5e-0000-7000-8000-00000000000"], "a UUID of 36 characters"),
        (["user", ".."], "must not be"),
        (["bench", "--rate", "5000"], "at most 2000"),
        (["bench", "--for", "11m"], "at most 600"),
        (["bench", "--subscribe-token", "x", "--publish-token", "y"], "no token with a subject"),
    ],
)
def test_what_an_operator_asks_wrongly_is_a_usage_error(arguments: list[str], named: str) -> None:
    result = run(*arguments, CLARION_ENV="dev", CLARION_JWT_SECRET=SECRET)
    assert result.exit_code == 2
    assert named in " ".join(result.stderr.replace("│", " ").split())


def test_data_that_is_no_object_is_a_usage_error() -> None:
    result = run("publish", "bob", "hi", "--data", "[1]", CLARION_ENV="dev", CLARION_JWT_SECRET=SECRET)
    assert result.exit_code == 2
    assert "not a JSON object" in result.stderr


def test_a_message_cannot_steer_the_terminal() -> None:
    item = Received("i", "t", "a\x1b[2Jb\nc\r[red]d", "s\x07", {}, "2026-11-24T01:02:03.004Z", Lane.LOW)
    line = client_commands._line(item).plain
    assert line.startswith("01:02:03.004  low")
    assert line.endswith("a�[2Jb ⏎ c�[red]d")
    assert line.isprintable()


def test_it_runs_as_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clarion.cli", "--version"], capture_output=True, cwd=Path(__file__).parents[4]
    )
    assert done.returncode == 0, done.stderr.decode()
