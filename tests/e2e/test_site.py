"""The built site: strict, complete in itself, with GitHub's anchors, its diagrams drawn, and fit for a phone."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest
from playwright.async_api import Page, expect

from tests.conftest import repository
from tests.unit.test_docs import anchors

SETTINGS = repository() / "docs" / "site"
DRAWN_MS = 15_000  # Mermaid has 3 MB to read

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (SETTINGS / "node_modules").exists(), reason="no Mermaid here: `make docs` installs what the site needs"
    ),
]


def build(pages: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Builds a site as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-a", "-W", "-c", SETTINGS, "-d", target / "doctrees"]
    return subprocess.run([*command, pages, target / "site"], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("docs")
    built = build(repository(), target)
    assert (built.returncode, built.stderr) == (0, "")
    return target / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where a web server has the site."""
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Logs nothing: only what fails is worth a line."""


def pages(site: Path) -> dict[str, str]:
    return {str(page.relative_to(site)): page.read_text() for page in sorted(site.rglob("*.html"))}


@cache
def ids(page: Path) -> set[str]:
    return set(re.findall(r'\sid="([^"]*)"', page.read_text()))


def attributes(text: str, tags: str, name: str) -> list[str]:
    return [unescape(value) for value in re.findall(rf'<(?:{tags})\b[^>]*?\s{name}="([^"]*)"', text)]


def test_pages_load_only_what_the_site_has(site: Path) -> None:
    wrong: list[str] = []
    for name, text in pages(site).items():
        loaded = attributes(text, "script|img|iframe|source", "src") + attributes(text, "link", "href")
        wrong += [f"{name}: {uri}" for uri in loaded if not (site / name).parent.joinpath(urlsplit(uri).path).exists()]
    for sheet in site.rglob("*.css"):
        loaded = re.findall(r"""(?:@import\s+|url\()\s*["']?([^"')\s]+)""", sheet.read_text())
        wrong += [f"{sheet.name}: {uri}" for uri in loaded if "//" in uri and not uri.startswith("data:")]
    assert wrong == []


def test_links_between_pages_lead_to_something(site: Path) -> None:
    wrong: list[str] = []
    for name, text in pages(site).items():
        for uri in attributes(text, "a", "href"):
            scheme, host, path, _, anchor = urlsplit(uri)
            if scheme or host:
                continue
            target = ((site / name).parent / unquote(path)).resolve() if path else site / name
            if not target.is_file() or (anchor and unquote(anchor) not in ids(target)):
                wrong.append(f"{name}: {uri}")
    assert wrong == []


def test_headings_have_the_anchors_of_github(site: Path) -> None:
    for page in (page for page in repository().rglob("*.md") if (site / f"{name(page)}.html").exists()):
        assert anchors(page) - ids(site / f"{name(page)}.html") == set(), page


def name(page: Path) -> str:
    return str(page.relative_to(repository()).with_suffix(""))


def test_the_start_page_is_the_readme(site: Path) -> None:
    assert "Nothing accepted is lost" in (site / "index.html").read_text()
    assert (site / "index.html").read_text() == (site / "README.html").read_text()


def test_a_link_to_a_function_leads_to_its_line(site: Path) -> None:
    links = attributes((site / "docs" / "architecture.html").read_text(), "a", "href")
    lines = (repository() / "services" / "gateway" / "hub.py").read_text().splitlines()
    at = next(number for number, line in enumerate(lines, 1) if "def on_message" in line)
    assert f"../source/services/gateway/hub.py.html#L-{at}" in links


def test_what_is_broken_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Start\n\n[a](no.md) [b](no.py) [c](#no) [d](docs/lost.md#no)\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "lost.md").write_text("# In no navigation\n")
    built = build(tmp_path, tmp_path / "built")
    assert built.returncode != 0
    for warning in ("'no.md'", "'no.py'", "'no'", "lost.md: WARNING: document isn't included in any toctree"):
        assert warning in built.stderr


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "paths"),
    [(390, ["README", "docs/protocol"]), (1280, ["docs/architecture", "docs/delivery"])],
    ids=["phone", "desk"],
)
async def test_pages_fit_and_draw_their_diagrams(page: Page, address: str, width: int, paths: list[str]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.set_viewport_size({"width": width, "height": 800})
    for path in paths:
        await page.goto(f"{address}{path}.html")
        await expect(page.locator("pre.mermaid > svg")).to_have_count(1, timeout=DRAWN_MS)
        assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert [url for url in asked if not url.startswith(address)] == []


@pytest.mark.browser
async def test_diagrams_take_the_colours_of_the_theme(page: Page, address: str) -> None:
    await page.emulate_media(color_scheme="light")
    await page.goto(f"{address}docs/protocol.html")
    drawing = page.locator("pre.mermaid > svg")
    light = await drawing.inner_html(timeout=DRAWN_MS)
    await page.emulate_media(color_scheme="dark")
    await expect(drawing).not_to_have_js_property("innerHTML", light, timeout=DRAWN_MS)


@pytest.mark.browser
async def test_the_search_finds_pages(page: Page, address: str) -> None:
    await page.goto(f"{address}search.html?q=heartbeat")
    await expect(page.locator("#search-results a", has_text="protocol")).not_to_have_count(0)
