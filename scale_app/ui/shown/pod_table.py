"""The table of pods, sorted by a press on a heading; each tab has its own order."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.record import RunRecord
from scale_app.ui.display import info, table_box
from scale_app.ui.reflex_compat import Handler, Part, Text, set_changed
from scale_app.ui.shown.charts import placed
from scale_app.ui.shown.viewers import VIEWERS, Renewed, Viewed, newest_of, rows_of, session_of, table_of
from scale_app.views.pod_table import BAR, COLUMNS, OUTLIER, TEXT_COLUMNS


class PodRows(Renewed, rx.State):
    """The table as this tab wants it. by: one of COLUMNS; run_id: whose pods these are."""

    rows: rx.Field[list[list[str]]] = rx.field(default_factory=list)
    note: str = ""
    cpu: bool = False
    by: str = "name"
    descending: bool = False
    run_id: str = ""

    @rx.event
    async def sort(self, by: str) -> None:
        """Sort by a column; again, in the other direction. Figures begin with the largest."""
        if by not in COLUMNS:
            return
        self.descending = not self.descending if by == self.by else by not in TEXT_COLUMNS
        self.by = by
        try:
            self.show(await wiring.hub().run(self.run_id))
        except ScaleError:
            return  # the run is gone, and its page says so
        await VIEWERS.change(session_of(self), Viewed(self.run_id, self.by, self.descending))

    def _renew(self) -> None:
        newest = newest_of(self.run_id)
        if newest is not None:
            self.show(newest.record)

    def show(self, record: RunRecord | None) -> None:
        """Take the pods of a run's newest snapshot."""
        self.run_id = record.run_id if record else ""
        table = table_of(record, self.by, self.descending)
        self.rows, self.note = rows_of(table), table.note
        set_changed(self, cpu=table.cpu)


def pod_table() -> Part:
    """Every pod with its figures, or of many pods the ends of the order."""
    return rx.el.section(
        rx.el.div(
            rx.el.h2("Pods"),
            rx.el.p(PodRows.note, class_name="quiet", data_testid="pods-note"),
            class_name="panel-head",
        ),
        rx.cond(PodRows.rows, _table(), rx.el.p("No answer has named a pod yet.", class_name="quiet")),
        class_name="card lazy",
        aria_label="Pods",
    )


def _table() -> Part:
    return table_box(
        "Table of pods",
        rx.el.table(
            rx.el.thead(rx.el.tr(*[_head(column) for column in COLUMNS])),
            rx.el.tbody(rx.foreach(PodRows.rows, _row)),
            class_name="table pods",
            data_testid="pods",
            data_cpu=PodRows.cpu,
        ),
    )


def _head(column: str) -> Part:
    sort: Handler = PodRows.sort
    text, look, about = COLUMNS[column].head, COLUMNS[column].look, COLUMNS[column].about
    sorted_by_it = PodRows.by == column
    order = rx.cond(PodRows.descending, "descending", "ascending")
    sign = rx.el.span(
        rx.cond(sorted_by_it, rx.cond(PodRows.descending, "▾", "▴"), ""), class_name="sort-sign", aria_hidden=True
    )
    of_numbers = "number" in look
    more = info(about) if about else rx.fragment()
    return rx.el.th(
        # A number's heading ends where the numbers end.
        more if of_numbers else rx.fragment(),
        rx.el.button(
            *((sign, text) if of_numbers else (text, sign)),
            on_click=sort(column),
            type="button",
            class_name="sort",
            data_testid=f"sort-{column}",
        ),
        rx.fragment() if of_numbers else more,
        class_name=look,
        scope="col",
        custom_attrs={"aria-sort": rx.cond(sorted_by_it, order, "none")},
    )


def _row(row: Any) -> Part:
    """Rows have no keys of their own: a new order changes texts, and moves nothing about the page."""
    cells = [_cell(column, row[place], row) for place, column in enumerate(COLUMNS)]
    return rx.el.tr(*cells, data_outlier=row[OUTLIER], data_testid="pod")


def _cell(column: str, text: Text, row: Any) -> Part:
    look = COLUMNS[column].look
    if column == "name":
        return rx.el.th(text, class_name="mono", scope="row", title=text)
    if column == "share":
        fill = rx.el.span(class_name="meter-fill", custom_attrs=placed(width=row[BAR]))
        return rx.el.td(rx.el.span(rx.el.span(fill, class_name="meter"), text, class_name="meter-box"))
    if column == "state":
        return rx.el.td(rx.el.span(text, class_name="badge pod-state"))
    # A name is cut off where there is no room for it.
    return rx.el.td(text, class_name=f"{look} {column}", title=text if column == "node" else None)
