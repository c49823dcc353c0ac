"""A database's file belongs to its owner: it tells who tested which system, and has the hashes of all tokens.

What SQLite adds to it (-wal, -shm) gets the rights that the file has.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from scale_app.files import OF_A_DATABASE

OWNER_ALONE = 0o600


def make_private(path: str | Path) -> None:
    """Make the file, for its owner alone, before SQLite makes it for everybody; nothing where it is there already, or
    cannot be made: SQLite then says so itself."""
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ALONE))


def close_to_others(path: str | Path) -> None:
    """Take from everybody but owner and group what an older version gave them. Nothing where that cannot be done.

    A group's rights stay: nobody has them but by the operator's doing, as for whoever copies the file.
    """
    for rest in OF_A_DATABASE:
        with suppress(OSError):
            mode = stat.S_IMODE(os.stat(f"{path}{rest}").st_mode)
            if mode & stat.S_IRWXO:
                os.chmod(f"{path}{rest}", mode & ~stat.S_IRWXO)
