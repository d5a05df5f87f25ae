"""Settings of Sphinx for the built site: `make docs` makes it of the Markdown files where they lie."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.append(str(Path(__file__).parent))

project = "Clarion"
root_doc = "README"
extensions = ["myst_parser", "diagrams", "source_pages"]
include_patterns = ["*.md", "deploy/**.md", "docs/**.md", "libs/**.md", "services/**.md", "tests/**.md"]
exclude_patterns = [".*", "build", "**/node_modules"]
templates_path = ["templates"]

# A page that stands nowhere here, and below no page that does, fails the build.
NAVIGATION = {
    "Start": ["What it is <self>", "deploy/local/README", "docs/beside"],
    "Publish and subscribe": ["libs/clarion/client/README", "libs/clarion-js/README", "docs/protocol"],
    "How it works": [
        "docs/promises",
        "docs/delivery",
        "docs/architecture",
        "services/README",
        "services/gateway/README",
        "services/stream/README",
        "services/console/README",
    ],
    "Operate": [
        "docs/operating",
        "docs/on-call",
        "docs/backup",
        "docs/edges",
        "docs/runbook",
        "docs/dead-letters",
        "docs/ledger",
        "docs/capacity",
        "docs/compare",
        "docs/growth",
        "deploy/docker/README",
        "deploy/helm/clarion/README",
        "deploy/helm/examples/README",
        "deploy/prometheus/README",
        "deploy/grafana/README",
    ],
    "Reference": [
        "docs/contracts",
        "docs/errors",
        "docs/metrics",
        "docs/logs-and-traces",
        "docs/glossary",
        "docs/adr/README",
    ],
    "Development": [
        "CONTRIBUTING",
        "docs/contributing",
        "tests/README",
        "tests/model/README",
        "tests/compare/before/README",
        "tests/compare/socketio/README",
        "tests/data/github/README",
        "tests/data/crds/README",
        "tests/data/growth/README",
    ],
    "Releases": ["CHANGELOG", "SECURITY"],
}

# Markdown as GitHub reads it, with its anchors, and without what only MyST knows.
myst_enable_extensions = ["alert", "gfm_autolink", "strikethrough", "tasklist"]
myst_disable_syntax = ["myst_block_break", "myst_line_comment", "myst_role", "myst_target"]
myst_heading_anchors = 6
smartquotes = False
suppress_warnings = ["misc.highlighting_failure"]  # examples have an ellipsis where code is left out

html_theme = "furo"
html_title = "Clarion"
html_static_path = ["static", "node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Adds to the start page, and to the page of decisions, which pages are below it. GitHub needs no such lists."""
    if docname == root_doc:
        for caption, pages in NAVIGATION.items():
            source[0] += _toctree(f":caption: {caption}", pages)
    elif docname == "docs/adr/README":
        source[0] += _toctree(":glob:", ["0*"])


def _toctree(option: str, pages: list[str]) -> str:
    return "\n".join(["", "", "```{toctree}", ":hidden:", option, "", *pages, "```"])


def copy_start_page(app: Sphinx, exception: Exception | None) -> None:
    """Makes the README what a browser gets for the site's address."""
    if not exception:
        (app.outdir / "index.html").write_bytes((app.outdir / f"{root_doc}.html").read_bytes())


def setup(app: Sphinx) -> None:
    """Is called by Sphinx."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", copy_start_page)
