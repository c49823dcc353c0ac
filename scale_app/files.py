"""Writes a file beside the old one and then replaces it, so that nobody sees half a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OF_A_DATABASE = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to the name of a file that it writes."""


def replaceable(path: Path) -> bool:
    """True when a file may take the place of what is there: nothing, or a file. The file itself is not opened.

    A link such as /dev/stdout, a pipe or a device is not replaced, since somebody else relies on what it is.
    """
    return not path.is_symlink() and (path.is_file() or not path.exists())


@contextmanager
def taking_the_place_of(path: Path) -> Iterator[Path]:
    """The file to write, beside this one: it takes its place once the block has ended. Raises OSError.

    When the block fails, what was there before is, and nothing stays beside it.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        for rest in OF_A_DATABASE:
            part.with_name(part.name + rest).unlink(missing_ok=True)
