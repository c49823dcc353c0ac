"""Figures as people read them."""

import math

import pytest

from scale_app.views import format as shown

NBSP = "\u202f"


@pytest.mark.parametrize(
    "show",
    [
        shown.count,
        shown.rate,
        shown.score,
        shown.ratio,
        shown.percent,
        shown.signed_percent,
        shown.milliseconds,
        shown.clock,
    ],
)
@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_a_figure_that_is_not_there_is_a_dash(show, nothing):
    assert show(nothing) == shown.NONE


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (999, "999"), (13_659, "13,659"), (1_234_567, "1,234,567")])
def test_counts_have_thousands_separators(value, text):
    assert shown.count(value) == text


def test_a_score_just_below_the_threshold_does_not_read_as_reaching_it():
    assert shown.score(0.94999) == "0.949"


@pytest.mark.parametrize(("value", "text"), [(0.95, "0.950"), (1.0, "1.000"), (0.7, "0.700"), (0.0, "0.000")])
def test_a_score_has_three_decimals(value, text):
    assert shown.score(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.218, "+21.8"), (-0.218, "−21.8"), (0.0, "±0.0"), (-0.00001, "±0.0")])
def test_a_difference_has_a_sign(value, text):
    assert shown.signed_percent(value) == f"{text}{NBSP}%"


@pytest.mark.parametrize(
    ("value", "text"), [(0.42, "0.4 ms"), (9.96, "10.0 ms"), (41.4, "41 ms"), (1_234, "1,234 ms"), (12_345, "12.3 s")]
)
def test_latencies_keep_about_two_figures(value, text):
    assert shown.milliseconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0:00"), (62, "1:02"), (3_600, "1:00:00"), (59.6, "1:00")])
def test_elapsed_time_is_a_clock(value, text):
    assert shown.clock(value) == text


@pytest.mark.parametrize(("value", "text"), [(45, "45 s"), (90, "1 min 30 s"), (7_200, "2 h"), (0, "0 s")])
def test_a_length_of_time_is_in_words(value, text):
    assert shown.span(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (8.25, "8.2"), (100.4, "100"), (1_431.2, "1,431"), (5.0, "5")])
def test_rates_are_short(value, text):
    assert shown.rate(value) == text


@pytest.mark.parametrize(("text", "value"), [("100", 100), (" 1,000 ", 1_000), ("0.5", 0.5), ("2e3", 2_000.0)])
def test_typed_numbers_become_numbers(text, value):
    assert shown.number(text) == value


def test_a_whole_number_stays_whole():
    assert isinstance(shown.number("100"), int)


@pytest.mark.parametrize("text", ["abc", "", "12 apples", "--3"])
def test_what_is_no_number_is_kept_as_typed(text):
    assert shown.number(text) == text


def test_a_plain_number_can_be_typed_back():
    assert [shown.plain(n) for n in (100, 50.0, 0.5, 3_600.0)] == ["100", "50", "0.5", "3600"]


def test_a_moment_names_its_zone():
    assert shown.moment(0) == "1970-01-01 00:00:00 UTC"


def test_a_sentence_has_no_marks_of_markdown() -> None:
    assert shown.prose("Enter them as Expected weights (the plan's `weights`).") == (
        "Enter them as Expected weights (the plan's weights)."
    )
