"""docs/glossary.md holds: its terms are used, and the words that it bans are not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CODE, DOCS = PROJECT / "scale_app", PROJECT / "docs"
GLOSSARY = DOCS / "glossary.md"
TERMS = re.findall(r"^\| \*\*(.+?)\*\* \| .+\.\s*\|$", GLOSSARY.read_text(), re.MULTILINE)
BANS = {
    word: {place.strip() for place in places.split(",")}
    for words, places in re.findall(r"^\| [^|]+ \| ([^|]+) \| ([^|]+) \|$", GLOSSARY.read_text(), re.MULTILINE)
    if words.strip() not in ("do not say", "---")
    for word in words.strip().split(", ")
}
EXPLAINED = {("throw", "docs/statistics.md"): "The page says once what a pick is, by a die."}
"""Pages on which a banned word is right, each with the reason."""
ORDINARY = {
    **dict.fromkeys(("enter_room", "leave_room", "room"), "Socket.IO calls a group of sockets so."),
    **dict.fromkeys(("_hand_over", "shake_hands", "_shake_hands"), "No process is meant."),
    "_common_entry": "The common log format is called so.",
    "in_memory": "Where a run is read from.",
}
"""Names in which a banned word is right, each with the reason."""
PAGES = sorted(
    {*DOCS.rglob("*.md"), PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "ARCHITECTURE.md"} - {GLOSSARY}
)
TEXTS = [CODE / "views/words.py", CODE / "views/meanings.py", *sorted((CODE / "ui").rglob("*.py"))]


def test_every_term_is_used() -> None:
    used = " ".join(path.read_text().lower() for path in (*PAGES, *CODE.rglob("*.py")))
    used = re.sub(r"[\s_-]+", " ", used)
    assert len(TERMS) > 60
    assert [term for term in TERMS if re.sub(r"[ -]", " ", term.lower()) not in used] == []


def test_every_term_is_there_once_with_one_sentence() -> None:
    assert len(set(TERMS)) == len(TERMS)
    assert len(BANS) > 20


def test_no_module_class_or_function_has_a_banned_name() -> None:
    banned = {word for word, places in BANS.items() if "names" in places}
    assert sorted(f"{place}: {word}" for word, place in _names_with(banned)) == []


def test_no_page_and_no_text_of_the_screen_uses_a_banned_word() -> None:
    banned = {word for word, places in BANS.items() if "words" in places}
    assert sorted(f"{place}: {word}" for word, place in _words_with(banned)) == []


@pytest.mark.parametrize(
    ("name", "parts"),
    [("PodTally", {"pod", "tally"}), ("_open_door", {"open", "door"}), ("HTTPDoor2", {"http", "door", "2"})],
)
def test_a_name_is_taken_apart(name: str, parts: set[str]) -> None:
    assert _parts(name) == parts


def _names_with(banned: set[str]) -> Iterator[tuple[str, str]]:
    for path in sorted(CODE.rglob("*.py")):
        for name in {path.stem, *_defined(path)} - set(ORDINARY):
            for word in _parts(name) & banned:
                yield word, f"{path.relative_to(PROJECT)}, {name}"


@cache
def _defined(path: Path) -> frozenset[str]:
    named = re.findall(r"^ *(?:async )?(?:def|class) (\w+)", path.read_text(), re.MULTILINE)
    return frozenset(named)


def _parts(name: str) -> set[str]:
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}


def _words_with(banned: set[str]) -> Iterator[tuple[str, str]]:
    for path in (*PAGES, *TEXTS):
        text = _prose(path) if path.suffix == ".md" else _texts(path)
        for word in banned:
            where = str(path.relative_to(PROJECT))
            if re.search(rf"\b{word}\b", text, re.IGNORECASE) and (word, where) not in EXPLAINED:
                yield word, where


def _prose(page: Path) -> str:
    """What a page says itself: without code and without tables that a program measured."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--[^>]*begin[^>]*-->.*?<!--[^>]*end[^>]*-->", "", text, flags=re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)


def _texts(module: Path) -> str:
    """What a module shows to people: its texts of several words, docstrings left out."""
    tree = ast.parse(module.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
    return "\n".join(text for text in texts if " " in text)
