"""scipy.special, loaded when the first of its functions is called.

Loading it takes a quarter of a second and 25 MB: commands that judge nothing, and a server at which nobody has started
a run, need neither. `load` does it ahead, so that no second of a run waits for it.
"""

from __future__ import annotations

from typing import Any

from scale_app.domain.arrays import LoadedLater

special: Any = LoadedLater("scipy.special")


def load() -> None:
    """Load it now; takes a quarter of a second the first time, in a thread if others must not wait."""
    _ = special.ndtr
