"""numpy, loaded when the first array is made: what lists runs or reads one back needs the types of figures, no arrays.

Loading it takes an eighth of a second of CPU.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Array", "LoadedLater", "np"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class LoadedLater:
    """A module that is loaded when one of its names is first asked for."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(importlib.import_module(self._module), name)
        setattr(self, name, found)
        return found


if not TYPE_CHECKING:
    np = LoadedLater("numpy")
