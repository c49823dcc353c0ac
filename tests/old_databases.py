"""Databases that older versions made, as files to work on."""

from __future__ import annotations

import gzip
from pathlib import Path

OLD = Path(__file__).parent / "old"


def old_database(version: str, path: Path) -> str:
    """A copy at `path` of the database with the tables of this version; its URL."""
    path.write_bytes(gzip.decompress((OLD / f"{version}.db.gz").read_bytes()))
    return f"sqlite+aiosqlite:///{path}"
