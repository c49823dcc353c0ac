"""A plan as the text that a tab keeps, written and read so that nobody else who looks is held up."""

from __future__ import annotations

import asyncio

from scale_app.codec.plan_text import plan_from_text, plan_to_text
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.ui.plan_texts import IN_FORM

MOST_PAGE_TEXT = 16 * 1024
"""YAML is read at a megabyte a second; so much takes 20 ms."""
MOST_BASES = 64
_BASES: dict[str, LoadPlan] = {}
"""The plans that forms were filled from lately, by their text."""


async def text_of(plan: LoadPlan) -> str:
    """The plan as YAML, known by this text from now on. Of thousands of points it takes a second, beside the loop."""
    text = await asyncio.to_thread(plan_to_text, plan)
    _remember(text, plan)
    return text


def base_of(text: str) -> LoadPlan:
    """The plan in this text, which the browser keeps. Raises PlanError.

    It is asked at each key that is pressed. One too long to be read by the way is known only if it was loaded here.
    """
    if text not in _BASES:
        check_page_text(text, "base")
        _remember(text, plan_from_text(text))
    return _BASES[text]


def check_page_text(text: str, field: str) -> None:
    """Raise PlanError for a plan's text that would hold up every viewer while it is read."""
    if len(text) > MOST_PAGE_TEXT:
        accepted = (
            f"a plan's text has at most {MOST_PAGE_TEXT:,} characters on the page; start longer ones by `scale run`"
        )
        raise PlanError(field, f"{len(text):,} characters", accepted)


def extras_of(text: str) -> str:
    """Names of what a plan's text sets and the form does not show."""
    written = [line.partition(":")[0] for line in text.splitlines() if line[:1].isalpha() and ":" in line]
    return ", ".join(name for name in written if name not in IN_FORM)


def _remember(text: str, plan: LoadPlan) -> None:
    _BASES.pop(text, None)
    _BASES[text] = plan
    for oldest in list(_BASES)[: len(_BASES) - MOST_BASES]:
        del _BASES[oldest]
