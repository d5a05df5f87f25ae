"""Files and folders that pages link to, as pages of the site: it is complete without a repository to look into."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename  # pyright: ignore[reportUnknownVariableType]
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.transforms import SphinxTransform
from sphinx.util.osutil import relative_uri

_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_NO_SOURCES = ("__pycache__", "node_modules")


class SourceLinks(SphinxTransform):
    """Leads links to what is no page of Markdown to its copy, and to the line of what the link's text names.

    MyST takes links to files for downloads, and links to folders for names that it does not find.
    """

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        """Replaces such links by plain ones, and notes what they lead to."""
        linked: set[str] = set()
        links = [*self.document.findall(addnodes.download_reference), *self.document.findall(addnodes.pending_xref)]
        for link in links:
            if link.get("reftype") != "myst" or link.get("refdomain") is not None:
                continue
            relative, absolute = self.env.relfn2path(link["reftarget"], self.env.docname)
            if not Path(absolute).exists():
                continue  # MyST warns of it
            path = posixpath.normpath(relative)
            linked.add(path)
            uri = relative_uri(self.env.docname, _page(path)) + _anchor(Path(absolute), link.astext())
            link.replace_self(nodes.reference("", "", *link.children, internal=True, refuri=uri))
        self.env.metadata[self.env.docname]["linked"] = linked


def write_source_pages(app: Sphinx, exception: Exception | None) -> None:
    """Writes a page for each file and folder that is linked, and for all that is in those folders.

    They are no pages of Sphinx, since the theme's navigation would take most of the build's time.
    """
    if exception or not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    linked: set[str] = {path for metadata in app.env.metadata.values() for path in metadata.get("linked", ())}
    pages = linked | {inner for path in linked for inner in _within(app, path)}
    for path in pages:
        parents = [*reversed(Path(path).parents)][1:]
        trail = [(parent.name, _page(str(parent)) if str(parent) in pages else None) for parent in parents]
        context = {
            "path": path,
            "root": "../" * (path.count("/") + 1),
            "trail": [*trail, (posixpath.basename(path), None)],
        }
        if (app.srcdir / path).is_dir():
            context["entries"] = [(posixpath.basename(inner), _page_of(app, inner)) for inner in _entries(app, path)]
        else:
            context["code"] = _highlighted(app.srcdir / path)
        target = app.outdir / _page(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(app.builder.templates.render("source.html", context), "utf-8")


def _page(path: str) -> str:
    return f"source/{path}.html"


def _page_of(app: Sphinx, path: str) -> str:
    page = app.project.path2doc(path)
    return f"{page}.html" if page else _page(path)


def _anchor(file: Path, name: str) -> str:
    """The line where a name is defined, if it is defined there; `Class.method` is looked for below its class."""
    if file.is_dir() or not _NAME.fullmatch(name):
        return ""
    lines = _read(file).splitlines()
    at = 0
    for part in name.split("."):
        definition = re.compile(rf"\s*(?:(?:export |async )*(?:def|class|function) {part}\b|{part}\s*[:=(])")
        at = next((number for number, line in enumerate(lines[at:], at + 1) if definition.match(line)), 0)
        if not at:
            return ""
    return f"#L-{at}"


def _entries(app: Sphinx, folder: str) -> list[str]:
    names = sorted(path.name for path in (app.srcdir / folder).iterdir())
    return [f"{folder}/{name}" for name in names if name[0] != "." and name not in _NO_SOURCES]


def _within(app: Sphinx, path: str) -> Iterator[str]:
    """Everything in a folder but Markdown, of which the site has pages already."""
    if (app.srcdir / path).is_dir():
        for inner in _entries(app, path):
            if not app.project.path2doc(inner):
                yield inner
                yield from _within(app, inner)


def _read(file: Path) -> str:
    return file.read_text("utf-8", errors="replace")


def _highlighted(file: Path) -> str:
    text = _read(file)
    try:
        lexer = get_lexer_for_filename(file.name, text)
    except ClassNotFound:
        lexer = TextLexer()
    return highlight(text, lexer, HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True))


def setup(app: Sphinx) -> dict[str, bool]:
    """Is called by Sphinx."""
    app.add_transform(SourceLinks)
    app.connect("build-finished", write_source_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
