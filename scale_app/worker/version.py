"""Do two machines run the same code? Counts of different versions cannot be added up."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import locust

PACKAGE = Path(__file__).parents[1]
SHARED = ("codec/*.py", "child_process/*.py", "domain/**/*.py", "worker/*.py")


@cache
def code_version() -> str:
    """Of Locust, and of what master and workers must have in common."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SHARED for path in PACKAGE.glob(pattern)):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return f"Locust {locust.__version__}, code {digest.hexdigest()[:12]}"
