"""Mermaid diagrams, drawn in the browser by the copy of Mermaid that the site brings."""

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class Diagrams(SphinxTransform):
    """Takes blocks of Mermaid out of the highlighting; `static/diagrams.js` finds them by their class."""

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        """Replaces each block of Mermaid by its text."""
        for block in list(self.document.findall(nodes.literal_block)):
            if block.get("language") == "mermaid":
                html = f'<pre class="mermaid">{escape(block.astext())}</pre>'
                block.replace_self(nodes.raw("", html, format="html", classes=["mermaid"]))


def bring_mermaid(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Only pages with a diagram load Mermaid."""
    if doctree and any("mermaid" in raw["classes"] for raw in doctree.findall(nodes.raw)):
        app.add_js_file("mermaid.tiny.js", loading_method="defer")
        app.add_js_file("diagrams.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Is called by Sphinx."""
    app.add_transform(Diagrams)
    app.connect("html-page-context", bring_mermaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
