"""The page of all runs, newest first: find one, compare some, run one again, keep one as a baseline, delete one."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.callers import if_allowed_told, reasons
from scale_app.ui.dialogs import opens
from scale_app.ui.display import explained, heads, in_address, local_text, local_time, table, unseen
from scale_app.ui.layout import page
from scale_app.ui.reflex_compat import Flag, Handler, Part
from scale_app.ui.runs.actions import BASELINE_DIALOG, DELETE_DIALOG, RunAgain, baseline_dialog, delete_dialog
from scale_app.ui.runs.state import ANY, PAGE_SIZE, RunList
from scale_app.ui.shown.charts import path, plot
from scale_app.views.charts import THRESHOLD_PATH
from scale_app.views.presenting import RunListRow
from scale_app.views.words import STATES, VERDICTS

TYPING_MS = 300


def runs_page() -> Part:
    """`/runs`, with `?target=`, `verdict=`, `state=` and `page=`"""
    return page(
        rx.el.section(
            _head(),
            rx.cond(RunList.problem != "", rx.el.p(RunList.problem, class_name="problem", role="alert")),
            rx.cond(
                RunList.ready,
                rx.cond(RunList.rows, rx.fragment(_table(), rx.cond(RunList.total > PAGE_SIZE, _paging())), _nothing()),
                rx.el.div(class_name="skeleton skeleton-table", aria_label="Loading the runs", role="status"),
            ),
            class_name="card wide-card",
            aria_label="Runs",
        ),
        delete_dialog(RunList.asked, RunList.delete),
        baseline_dialog(RunList.asked, RunList),
        here="Runs",
    )


def _head() -> Part:
    return rx.el.div(
        rx.el.div(rx.el.h1("Runs"), rx.el.p("Newest first", class_name="quiet"), class_name="panel-head"),
        rx.cond(RunList.rows | RunList.filtered, _filter()),
        _compare(),
        class_name="list-head",
    )


def _filter() -> Part:
    narrow: Handler = RunList.narrow
    return rx.el.div(
        controls.search(
            "filter-target",
            "Target contains",
            RunList.target,
            lambda text: [in_address("target", text, ""), narrow("target", text).debounce(TYPING_MS)],
            key=RunList.visit,
        ),
        _choice("verdict", "Verdict", VERDICTS, RunList.verdict),
        _choice("state", "State", STATES, RunList.run_state),
        class_name="filter",
        role="search",
        aria_label="Filter runs",
    )


def _choice(name: str, label: str, options: Any, value: Any) -> Part:
    """name: in the address."""
    narrow: Handler = RunList.narrow
    return rx.el.select(
        rx.el.option(f"Any {name}", value=ANY),
        *[rx.el.option(text, value=key.value) for key, text in options.items()],
        value=value,
        on_change=lambda chosen: [in_address(name, chosen, ANY), narrow(name, chosen)],
        aria_label=label,
        class_name="input",
        data_testid=f"filter-{name}",
    )


def _compare() -> Part:
    chosen = RunList.chosen.length()
    return rx.el.div(
        rx.cond(chosen > 0, controls.button("Clear selection", RunList.choose_none, "none")),
        controls.button(
            rx.cond(chosen > 1, "Compare " + chosen.to_string() + " runs", "Select two or more to compare"),
            RunList.compare,
            "compare",
            icon="git-compare-arrows",
            disabled=chosen < 2,
        ),
        class_name="buttons",
    )


def _table() -> Part:
    listed = table(
        "Table of runs",
        heads(
            (unseen("Compare"), "at-tick"),
            ("Started", "at-when"),
            ("Target and plan", "at-target"),
            (explained("Verdict", "verdict"), "at-verdict"),
            (explained("Score", "sparkline"), "at-score"),
            (explained("Requests", "requests"), "number at-requests"),
            ("State", "at-state"),
            (unseen("Actions"), "at-actions"),
        ),
        rx.el.tbody(rx.foreach(RunList.rows, _row)),
        look="runs-table",
        name="runs",
    )
    return rx.fragment(listed, reasons("rerun", "mark_baseline", "delete"))


def _row(row: RunListRow) -> Part:
    badge = rx.el.span(row.verdict, class_name="badge", data_kind=row.kind)
    state = rx.el.span(row.state_text, class_name="run-state", data_state=row.state, title=row.message)
    return rx.el.tr(
        rx.el.td(_tick(row), class_name="at-tick"),
        rx.el.td(
            rx.link(local_time(row.created_at_epoch_s), href="/runs/" + row.run_id, data_testid="open"),
            rx.el.div("Run ", row.short_id, class_name="quiet", data_testid="short-id"),
            rx.cond(row.by != "", rx.el.div("by ", row.by, class_name="quiet", data_testid="started-by")),
            rx.cond(row.baseline != "", _baseline(row)),
            class_name="at-when",
        ),
        _target(row),
        rx.el.td(badge, class_name="at-verdict"),
        rx.el.td(_score(row), class_name="at-score"),
        rx.el.td(row.requests, class_name="number at-requests"),
        rx.el.td(state, class_name="at-state"),
        rx.el.td(_actions(row), class_name="at-actions"),
        data_testid="run",
        key=row.run_id,
    )


def _tick(row: RunListRow) -> Part:
    choose: Handler = RunList.choose
    return rx.el.input(
        type="checkbox",
        checked=RunList.chosen.contains(row.run_id),
        on_change=lambda wanted: choose(row.run_id, wanted),
        aria_label="Compare the run of " + local_text(row.created_at_epoch_s),
        class_name="tick",
        data_testid="choose",
    )


def _target(row: RunListRow) -> Part:
    source = rx.el.span(row.source_text, class_name="badge source", data_source=row.source)
    problem = rx.el.div(row.problem, class_name="under row-problem", data_testid="row-problem")
    return rx.el.td(
        rx.el.div(row.target, class_name="mono target", title=row.target),
        rx.el.div(row.plan, source, class_name="quiet under"),
        rx.cond(row.problem != "", problem),
        class_name="at-target",
    )


def _score(row: RunListRow) -> Part:
    return rx.el.div(
        rx.el.span(row.score, " ", rx.el.span(row.grade, class_name="quiet"), class_name="tabular"),
        rx.cond(row.spark != "", _spark(row)),
        class_name="score-cell",
    )


def _baseline(row: RunListRow) -> Part:
    return rx.el.span(
        rx.icon("flag", size=12, aria_hidden=True),
        rx.el.span("Baseline: ", class_name="sr-only"),
        row.baseline,
        class_name="badge baseline",
        data_testid="baseline",
    )


def _spark(row: RunListRow) -> Part:
    label = "Score over the run, at its end " + row.score
    paths = (path(THRESHOLD_PATH, "threshold"), path(row.spark, "line"))
    return plot(label, *paths, look="spark", data_testid="spark")


def _actions(row: RunListRow) -> Part:
    rerun: Handler = RunAgain.rerun
    ask: Handler = RunList.ask
    of = " the run of " + local_text(row.created_at_epoch_s)
    return rx.el.div(
        _icon_button(
            "rotate-cw",
            "Run again",
            of,
            "rerun",
            rerun(row.run_id).throttle(3_000),
            **if_allowed_told("rerun"),
        ),
        rx.cond(
            ~row.active,
            rx.fragment(
                _icon_button(
                    "flag",
                    "Baseline",
                    of,
                    "mark",
                    ask(row.run_id),
                    custom_attrs=opens(BASELINE_DIALOG),
                    **if_allowed_told("mark_baseline"),
                ),
                _icon_button(
                    "trash-2",
                    "Delete",
                    of,
                    "delete",
                    ask(row.run_id),
                    custom_attrs=opens(DELETE_DIALOG),
                    **if_allowed_told("delete"),
                ),
            ),
        ),
        class_name="buttons",
    )


def _icon_button(icon: str, what: str, of: Any, name: str, on_click: Handler, **more: Any) -> Part:
    return rx.el.button(
        rx.icon(icon, size=15, aria_hidden=True),
        on_click=on_click,
        type="button",
        aria_label=what + ":" + of,
        class_name="icon-button",
        data_testid=name,
        **more | {"title": rx.cond(more.get("title", "") != "", more.get("title", ""), what)},
    )


def _paging() -> Part:
    is_last = RunList.first + RunList.rows.length() >= RunList.total
    return rx.el.nav(
        rx.el.span(RunList.part, class_name="quiet tabular", data_testid="part"),
        _turn("Newer", RunList.number - 1, "newer", RunList.first == 0),
        _turn("Older", RunList.number + 1, "older", is_last),
        class_name="paging",
        aria_label="Pages of the list",
    )


def _turn(label: str, number: Any, name: str, disabled: Flag) -> Part:
    turn_to: Handler = RunList.turn_to
    to_page = [in_address("page", number, "1"), turn_to(number)]
    return controls.button(label, to_page, name, disabled=disabled, look="small")


def _nothing() -> Part:
    return rx.el.div(
        rx.icon("history", size=32, aria_hidden=True),
        rx.cond(
            RunList.filtered,
            rx.fragment(rx.el.h2("No run matches the filter"), rx.el.a("Show all runs", href="/runs")),
            rx.fragment(
                rx.el.h2("No run yet"),
                rx.el.p(
                    "This page lists every run with its plan, verdict and score. ",
                    rx.link("Go to the live page", href="/"),
                    " and press Start.",
                ),
            ),
        ),
        class_name="empty",
        data_testid="empty",
    )
