"""What a reader has chosen, written into the address by the browser itself: a reload and a link bring it back."""

from __future__ import annotations

from typing import Any

import reflex as rx

WRITE = """(name, chosen, usual) => {
  const url = new URL(window.location.href);
  url.searchParams.delete("page");
  if (chosen === usual) url.searchParams.delete(name);
  else url.searchParams.set(name, chosen);
  window.history.replaceState(window.history.state, "", url);
}"""


def in_address(name: str, chosen: Any, usual: str) -> Any:
    """Write a choice into the address; another choice than that of a page leads back to the first page.

    In a chain of events this comes before the one that tells the server, whose answer changes what is shown: so the
    address is never behind it. chosen: a variable of the browser. usual: what is shown when the address says nothing.
    """
    given = rx.Var.create(chosen)
    call = f"() => ({WRITE})({name!r}, String({given!s}), {usual!r})"
    return rx.call_function(rx.Var(call, _var_data=given._get_all_var_data()))
