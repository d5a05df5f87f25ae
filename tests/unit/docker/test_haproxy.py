"""HAProxy accepts the load balancer's configuration, and gives no connection less time than heartbeats need."""

import re
import shutil
import subprocess

import pytest

from clarion.contracts.limits import PING_S, PONG_S
from tests.conftest import repository

FILE = repository() / "deploy" / "docker" / "haproxy.cfg"


def test_haproxy_accepts_its_configuration() -> None:
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        pytest.skip("no haproxy here: apt-get install haproxy")
    done = subprocess.run([haproxy, "-c", "-f", FILE], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_connection_outlives_the_pause_between_heartbeats(side: str) -> None:
    found = re.search(rf"^\s*timeout {side} (\d+)s$", FILE.read_text(), re.MULTILINE)
    assert found
    assert int(found[1]) > PING_S + PONG_S
