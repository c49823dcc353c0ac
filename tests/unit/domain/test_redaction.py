"""What a target says back is told without the values that it was sent, however it writes them."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from scale_app.domain.redaction import MARK, Redaction

VALUE = 'v+Qz7/h"Kx2&mW9=rT4'
REDACT = Redaction([VALUE])

WRITTEN = {
    "as it is": VALUE,
    "in upper case": VALUE.upper(),
    "in lower case, as a host's name": VALUE.lower(),
    "for a URL": quote(VALUE, safe=""),
    "for a path": quote(VALUE),
    "for a form": quote_plus(VALUE),
    "with lower case escapes": quote(VALUE, safe="").replace("%2B", "%2b"),
    "in JSON": json.dumps(VALUE)[1:-1],
    "in HTML": html.escape(VALUE),
    "in hexadecimal": VALUE.encode().hex(),
    "in base64": base64.b64encode(VALUE.encode()).decode(),
    "in base64 for URLs": base64.urlsafe_b64encode(VALUE.encode()).decode(),
    **{
        f"in base64 after {user!r}": base64.b64encode(f"{user}:{VALUE}".encode()).decode()
        for user in ("a", "ab", "abc", "abcd")
    },
    "its first 8 characters": VALUE[:8],
    "cut short": VALUE[:13],
}


def pieces(text: str, size: int) -> set[str]:
    return {text[at : at + size] for at in range(len(text) - size + 1)}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_value_is_replaced_however_it_is_written(written: str) -> None:
    said = REDACT(f"pod <{written}> of it")
    assert (said[:5], said[-6:]) == ("pod <", " of it")
    assert MARK in said
    assert not pieces(written, 8) & pieces(said, 8)


def test_one_mark_stands_for_one_value_and_what_is_between_stays() -> None:
    assert REDACT(f"{VALUE} and {VALUE}") == f"{MARK} and {MARK}"
    assert Redaction(["12345678", "abcdefgh"])("12345678abcdefgh") == MARK


def test_what_a_value_in_base64_says_is_replaced_too() -> None:
    redact = Redaction([base64.b64encode(b"loader:correct-horse").decode()])
    assert redact("user loader:correct-horse") == f"user loader:{MARK}"
    assert redact("the password is correct-horse.") == f"the password is {MARK}"
    assert Redaction(["Basic " + base64.b64encode(b"loader:correct-horse").decode()])("correct-horse") == MARK


def test_parts_of_a_value_are_replaced_without_the_others() -> None:
    redact = Redaction(["Bearer eyJhbGciOiJub25l.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl"])
    for part in ("eyJhbGciOiJub25l.eyJzdWIi", "eyJzdWIiOiIxMjM0", "c2lnbmF0dXJl", "Bearer eyJhbGciOiJub25l.eyJ"):
        assert redact(f"it is {part} now") == f"it is {MARK} now"


def test_the_name_of_the_user_is_no_secret_and_may_be_that_of_pods() -> None:
    redact = Redaction([base64.b64encode(b"checkout-service:correct-horse").decode()])
    assert redact("checkout-7f9c4-x2xkl") == "checkout-7f9c4-x2xkl"


@pytest.mark.parametrize("known", ["eyJhbGci", "eyJhbGciOi", "yJhbGciO", "eyJhbGciOiJub25l", "hbGciOiJu"])
def test_who_knows_how_a_value_begins_cannot_try_what_comes_next(known: str) -> None:
    redact = Redaction(["eyJhbGciOiJub25lLCJraWQiOiIx"])
    assert (
        len({redact(known + tried).replace(known + tried, "") for tried in "abcdefghijkLMNOPQRSTUVWXYZ0123456789"}) == 1
    )
    words = " ".join(known + tried for tried in "OLabc")
    assert redact(words) in (words, " ".join([MARK] * 5))


@pytest.mark.parametrize("text", ["", "pod-a", "checkout-7f9c4-x2xkl", VALUE[:7], "v+Qz7/h", VALUE[-8:], "x" * 10_000])
def test_other_words_stay_as_they_are(text: str) -> None:
    assert REDACT(text) == text
    assert Redaction()(text) == text


def test_without_values_nothing_is_replaced() -> None:
    assert Redaction()(VALUE) == VALUE
    assert Redaction([""])(VALUE) == VALUE
