"""Pages of one sentence, for people who see nothing of the built page yet: signed out, refused, nobody can sign in."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title} · Scale</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml"><style>{style}</style></head>
<body><main><p class="brand"><img src="/favicon.svg" alt="" width="28" height="28">Scale</p>
<h1>{title}</h1><p>{sentence}</p>{way}</main></body></html>
"""
STYLE = """
@font-face { font-family: "Inter"; src: url("/fonts/inter.woff2") format("woff2"); font-weight: 100 900; }
:root { --page: #f9f9fb; --card: #fff; --line: #e0e1e6; --text: #1c2024; --quiet: #60646c; --focus: #3e63dd; }
@media (prefers-color-scheme: dark) {
  :root { --page: #111113; --card: #18191b; --line: #2e3135; --text: #edeef0; --quiet: #b0b4ba; --focus: #9eb1ff; }
}
body { display: grid; place-items: center; min-height: 100vh; margin: 0; padding: 24px 16px; box-sizing: border-box;
  background: var(--page); color: var(--text); line-height: 1.5;
  font-family: "Inter", system-ui, -apple-system, "Segoe UI", sans-serif; font-size: 15px; }
main { box-sizing: border-box; width: min(440px, 100%); padding: 32px; border: 1px solid var(--line);
  border-radius: 14px; background: var(--card); }
p { margin: 0; color: var(--quiet); overflow-wrap: anywhere; }
.brand { display: flex; align-items: center; gap: 10px; color: var(--text); font-size: 18px; font-weight: 700;
  letter-spacing: -0.02em; }
h1 { margin: 24px 0 8px; font-size: 20px; font-weight: 650; letter-spacing: -0.01em; }
.way { display: block; margin-top: 24px; padding: 10px 18px; border-radius: 9px; background: #3e63dd; color: #fff;
  font-weight: 550; text-align: center; text-decoration: none; }
.way:hover { background: #3656c2; }
.way:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
"""


class WayOn(NamedTuple):
    """Where to go from here. text: of the link."""

    text: str
    path: str


def plain_page(title: str, sentence: str, way_on: WayOn | None = None) -> str:
    """The page's HTML; a lone surrogate of a stranger's becomes a question mark."""
    link = f'<a class="way" href="{escape(way_on.path)}">{escape(way_on.text)}</a>' if way_on else ""
    made = PAGE.format(title=escape(title), sentence=escape(sentence), way=link, style=STYLE)
    return made.encode(errors="replace").decode()
