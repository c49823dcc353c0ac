"""What a type's docstring says of each of its fields: the one source of every schema's and reference's descriptions."""

from __future__ import annotations

import re
from collections.abc import Sequence


def meanings_of(docstring: str, fields: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A docstring's own text, and what it says of each field.

    A field's part begins with its name, or several with commas between, or a common beginning with a star ("recent_*"),
    and a colon; it ends where the next part or paragraph begins.
    """
    own, meanings = [], {}
    for paragraph in docstring.split("\n\n"):
        before, parts = _parts(" ".join(paragraph.split()), fields)
        if before:
            own.append(before)
        for names, meaning in parts:
            meanings.update(dict.fromkeys(names, meaning))
    return "\n\n".join(own), meanings


def _parts(paragraph: str, fields: Sequence[str]) -> tuple[str, list[tuple[list[str], str]]]:
    marks = []
    for match in re.finditer(r"(?:^|(?<=\s))(\w+\*?(?:, \w+\*?)*): ", paragraph):
        names = [field for pattern in match[1].split(", ") for field in fields if _is(pattern, field)]
        if names:
            marks.append((match, names))
    if not marks:
        return paragraph.strip(), []
    ends = [*(match.start() for match, _ in marks[1:]), len(paragraph)]
    meanings = [paragraph[match.end() : end].strip(" ;") for (match, _), end in zip(marks, ends, strict=True)]
    return paragraph[: marks[0][0].start()].strip(), [
        (names, meaning) for (_, names), meaning in zip(marks, meanings, strict=True)
    ]


def _is(pattern: str, field: str) -> bool:
    return field.startswith(pattern[:-1]) if pattern.endswith("*") else field == pattern
