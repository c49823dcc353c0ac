"""The page, a module or folder for each of its pages. It computes nothing: texts are views', drawings are pictures'."""

from __future__ import annotations

import hashlib
from pathlib import Path


def build_id(package: Path) -> str:
    """Names and contents of the package's modules as one short hash."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


BUILD_ID = build_id(Path(__file__).parents[1])
"""Which build a page is from: it carries the id of the sources that it was built from, the server tells its own. So a
tab that was open during an upgrade can tell its reader to reload it."""
