"""Tables of the compare page: a row for each pod, percentile or setting, a column for each run."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.ui.meant import Part
from scale_app.ui.tables import table_box
from scale_app.views.comparing import Cell, CompareRow


def runs_table(head: str, rows: Any, view: Any, name: str, bars: bool = False) -> Part:
    """A table with a column for each run. bars: the figures are shares."""

    def cell(figure: Cell) -> Part:
        if not bars:
            return rx.el.td(figure.text)
        return rx.el.td(_share(figure), custom_attrs={"data-outlier": figure.outlier})

    def row(figures: CompareRow) -> Part:
        return rx.el.tr(
            rx.el.th(figures.name, scope="row", class_name="mono" if bars else ""),
            rx.foreach(figures.cells, cell),
        )

    return table_box(
        f"Table: {head.lower()} in all runs",
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    rx.el.th(head, scope="col"),
                    rx.foreach(view.sides, lambda side: rx.el.th(side.label, scope="col")),
                )
            ),
            rx.el.tbody(rx.foreach(rows, row)),
            class_name="table compared",
            data_testid=name,
        ),
        look="bounded",
    )


def _share(figure: Cell) -> Part:
    return rx.el.span(
        rx.el.span(rx.el.span(class_name="meter-fill", style={"width": figure.bar}), class_name="meter"),
        figure.text,
        rx.match(figure.outlier, ("over", " ▲"), ("under", " ▼"), ""),
        class_name="meter-box tabular",
    )
