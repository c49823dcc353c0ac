"""Moments in the reader's own time zone and language. The browser writes them: only it knows both."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.ui.meant import Figure, Part

# Year to second is too much to read in a list and too little to tell 2025 from 2026 in a link that was kept.
STYLE = "{year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short'}"


def local_text(epoch_s: Figure) -> Any:
    """Text such as "24 Nov 2026, 18:05 GMT+1"; a variable. epoch_s: a variable, wall-clock seconds since 1970."""
    given = rx.Var.create(epoch_s)
    return rx.Var(
        _js_expr=f"new Date({given!s} * 1000).toLocaleString([], {STYLE})",
        _var_type=str,
        _var_data=given._get_all_var_data(),
    ).to(str)


def local_time(epoch_s: Figure, **more: Any) -> Part:
    """The moment as an element that tells machines the exact time too."""
    given = rx.Var.create(epoch_s)
    exact = rx.Var(
        _js_expr=f"new Date({given!s} * 1000).toISOString()",
        _var_type=str,
        _var_data=given._get_all_var_data(),
    ).to(str)
    return rx.el.time(local_text(epoch_s), date_time=exact, class_name="tabular", **more)
