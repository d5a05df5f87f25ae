"""The page's routes, without a browser: headers, types, caching, and that dev's routes exist in dev only."""

from pathlib import Path

import httpx2
import jwt
import msgspec
import pytest
from starlette.applications import Starlette

from clarion.settings import Settings
from clarion.web.budget import Budget
from clarion.web.problem_responses import HANDLERS
from services.gateway.http.demo_page import assets_path, page_routes

SECRET = "x" * 32
ADA = {"user": "ada"}


class Sent(list[str]):
    error: OSError | None = None

    async def publish(self, recipient: str) -> None:
        if self.error:
            raise self.error
        self.append(recipient)


def client(env: str = "dev", sent: Sent | None = None) -> httpx2.AsyncClient:
    settings = msgspec.convert({"env": env, "jwt_secret": SECRET}, Settings)
    publish = (Sent() if sent is None else sent).publish
    routes = page_routes(assets_path(), settings, publish, ["ada", "bob"], Budget())
    transport = httpx2.ASGITransport(app=Starlette(routes=routes, exception_handlers=HANDLERS))
    return httpx2.AsyncClient(transport=transport, base_url="http://gateway")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/page.js", "text/javascript; charset=utf-8"),
        ("/sdk/clarion.js", "text/javascript; charset=utf-8"),
        ("/sdk/clarion.d.ts", "text/plain; charset=utf-8"),
    ],
)
async def test_assets_come_typed_guarded_and_revalidated(path: str, media_type: str) -> None:
    async with client("production") as http:
        first = await http.get(path)
        again = await http.get(path, headers={"if-none-match": first.headers["etag"]})
    assert first.status_code == 200
    assert first.headers["content-type"] == media_type
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["cache-control"] == "no-cache"
    assert "default-src 'none'; script-src 'self'" in first.headers["content-security-policy"]
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/page/../package.json", "/page/%2e%2e/package.json", "/sdk/nothing.js", "/page/"])
async def test_nothing_else_is_served(path: str) -> None:
    async with client() as http:
        assert (await http.get(path)).status_code == 404


def test_every_module_the_page_imports_is_served() -> None:
    assets = assets_path()
    folders = {"/page/": assets / "page", "/sdk/": assets / "src"}
    for folder in folders.values():
        for script in folder.glob("*.js"):
            for line in script.read_text().splitlines():
                if not line.startswith(("import ", "export {")) or " from " not in line:
                    continue
                target = line.rsplit('"', 2)[1]
                path = _served(target, folder, folders)
                assert path.is_file(), f"{script.name} imports {target}"


def _served(target: str, folder: Path, folders: dict[str, Path]) -> Path:
    for prefix, root in folders.items():
        if target.startswith(prefix):
            return root / target.removeprefix(prefix)
    if target.startswith("../sdk/"):  # beside the page, below whatever prefix a proxy has both
        return folders["/sdk/"] / target.removeprefix("../sdk/")
    assert target.startswith("./"), f"{target} needs a bundler"
    return folder / target


@pytest.mark.parametrize(("method", "path"), [("GET", "/dev/config"), ("POST", "/dev/token"), ("POST", "/dev/send")])
async def test_production_has_no_dev_routes(method: str, path: str) -> None:
    async with client("production") as http:
        assert (await http.request(method, path, json=ADA)).status_code == 404


async def test_dev_offers_users_and_tokens_that_only_subscribe() -> None:
    async with client() as http:
        assert (await http.get("/dev/config")).json() == {"dev": True, "users": ["ada", "bob"]}
        answer = await http.post("/dev/token", json=ADA)
    claims = jwt.decode(answer.json()["token"], SECRET, algorithms=["HS256"], audience="clarion", issuer="clarion")
    assert (claims["sub"], claims["scope"]) == ("ada", "subscribe")
    assert claims["exp"] - claims["iat"] == answer.json()["expires_in"]
    assert answer.headers["cache-control"] == "no-store"


async def test_send_publishes_to_the_recipient() -> None:
    sent = Sent()
    async with client(sent=sent) as http:
        assert (await http.post("/dev/send", json={"recipient": "ada"})).status_code == 202
    assert sent == ["ada"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"user": ""}', 422, "too_short"),
        (b'{"user": "' + b"x" * 129 + b'"}', 422, "too_long"),
        (b"{}", 422, "required"),
        (b'{"user": "a", "scope": "operate"}', 422, "unknown_field"),
        (b'{"user": 5}', 422, "type"),
        (b"{", 400, "malformed"),
        (b'{"user": "\xff"}', 400, "malformed"),
        (b'{"user": "' + b"x" * 5000 + b'"}', 413, "too_large"),
    ],
)
async def test_wrong_bodies_are_named(body: bytes, status: int, code: str) -> None:
    async with client() as http:
        answer = await http.post("/dev/token", content=body, headers={"content-type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["code"] for error in problem.get("errors", [])] == [code]


async def test_forms_of_other_sites_are_refused() -> None:
    async with client() as http:
        answer = await http.post("/dev/send", content=b'{"recipient": "ada"}', headers={"content-type": "text/plain"})
    assert answer.status_code == 415


async def test_what_cannot_be_published_says_when_to_come_back() -> None:
    sent = Sent()
    sent.error = ConnectionRefusedError("ingest is down")
    async with client(sent=sent) as http:
        answer = await http.post("/dev/send", json={"recipient": "ada"})
    assert (answer.status_code, answer.json()["detail"]) == (503, "the notification was not published: ingest is down")
    assert "retry-after" in answer.headers
