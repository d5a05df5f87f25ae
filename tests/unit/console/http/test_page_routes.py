"""The page comes typed and guarded, and hands out tokens in development only."""

import re

import pytest

from clarion.security.verifier import Verifier
from clarion.settings import Settings
from tests.conftest import repository
from tests.unit.console.http.asking import SETTINGS, client

PAGE = repository() / "services" / "console" / "page"
PRODUCTION = Settings(jwt_secret="s" * 32)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/css/base.css", "text/css; charset=utf-8"),
        ("/page/vendor/uPlot.esm.js", "text/javascript; charset=utf-8"),
        ("/sdk/event_parser.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_files_come_typed_guarded_and_revalidated(path: str, media_type: str) -> None:
    async with client() as http:
        answer = await http.get(path)
        again = await http.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (answer.status_code, answer.headers["content-type"], again.status_code) == (200, media_type, 304)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_files_outside_the_page_are_not_served() -> None:
    async with client() as http:
        for path in ("/page/../http/app.py", "/page/%2e%2e/desk.py", "/sdk/../package.json", "/page/"):
            assert (await http.get(path)).status_code == 404


async def test_a_token_is_handed_out_in_development_only() -> None:
    async with client() as http:
        assert (await http.get("/dev/config")).json() == {"dev": True}
        token = (await http.post("/dev/token", json={"user": "ann"})).json()["token"]
        form = await http.post("/dev/token", data={"user": "ann"})
    claims = await Verifier(SETTINGS).verify(token)
    assert (claims.subject, claims.scopes, form.status_code) == ("ann", {"operate"}, 415)
    async with client(settings=PRODUCTION) as http:
        assert (await http.get("/dev/config")).status_code == 404
        assert (await http.post("/dev/token", json={"user": "ann"})).status_code == 404


def test_the_page_has_no_inline_script_and_no_other_host() -> None:
    html = (PAGE / "index.html").read_text()
    assert re.search(r"<script(?![^>]*\ssrc=)", html) is None
    assert re.search(r"<style|\sstyle=|\son\w+=", html) is None
    ours = [*PAGE.rglob("*.html"), *PAGE.rglob("*.js"), *PAGE.rglob("*.css")]
    ours = [path for path in ours if "vendor" not in path.parts]
    assert len(ours) > 10
    for path in ours:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text) is None, path
