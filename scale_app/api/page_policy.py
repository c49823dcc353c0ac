"""Content-Security-Policy: what a browser may load and run of an answer that says nothing of that itself.

The built page has scripts within its HTML, which Reflex and React Router write. Each is let through by its hash, taken
from the files that are served, so that a script that somebody brings into the page does not run. Evaluating a text is
let through: Reflex does so with what the server sends over the page's own socket, toasts and the closing of dialogs
among it. Styles are let through: the page's own libraries write them while it runs, and a style runs nothing.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path

BUILT_PAGE = Path(".web/build/client")
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""An answer that is no page loads and runs nothing, should a browser ever show it as one."""
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'{hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'"
)


def page_policy(built: Path = BUILT_PAGE) -> str:
    """The policy of every page in this folder; without the folder, of a page without scripts in its HTML."""
    hashes = sorted({found for file in built.rglob("*.html") for found in inline_hashes(file.read_text("utf-8"))})
    return PAGE_POLICY.format(hashes="".join(f" '{found}'" for found in hashes))


def policy_for(kind: str, page: str) -> str:
    """The policy for an answer of this content type, "" where nothing is said of that. page: the policy of a page."""
    if kind.startswith("text/html"):
        return page
    return DATA_POLICY if kind.startswith(("application/json", "application/problem", "text/plain")) else ""


def inline_hashes(html: str) -> set[str]:
    """Of each script within the HTML, its hash as a policy names it."""
    scripts = _InlineScripts()
    scripts.feed(html)
    return {f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}" for text in scripts.texts}


class _InlineScripts(HTMLParser):
    """Collects the texts of scripts that have no `src`."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and "src" not in dict(attrs)
        if self._inside:
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data
