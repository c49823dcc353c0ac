"""When and on what something was measured: a figure says little without it."""

from __future__ import annotations

import datetime
import os
import platform
from typing import Any


def circumstances(load_before: float) -> dict[str, Any]:
    """date and machine, for a measurement's JSON. load_before: the machine's load average before it began."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "load_before": round(load_before, 2),
        },
    }
