"""What the arguments of page functions mean. Reflex's component packages carry no types, so all of these are Any."""

from __future__ import annotations

from typing import Any, TypeAlias

Part: TypeAlias = Any
"""A piece of the page."""

Text: TypeAlias = Any
"""A text: fixed when the page is built, or a variable of the state."""

Flag: TypeAlias = Any
"""True or false: fixed, or a variable of the state."""

Figure: TypeAlias = Any
"""A number, or several: fixed, or a variable of the state."""

Handler: TypeAlias = Any
"""What happens on an event of the browser."""
