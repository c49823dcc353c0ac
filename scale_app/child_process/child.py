"""Inside a child process: die with the owner, keep the protocol's pipe to ourselves, open as many files as allowed."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import BinaryIO

PR_SET_PDEATHSIG = 1


def die_with_owner(owner_pid: int) -> None:
    """Ask the kernel to SIGKILL this process when its owner is gone; exit at once if it already is.

    Linux only; elsewhere the closed standard input is the sign, and every child must end on it.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner_pid:
        os._exit(3)


def claim_stdout() -> BinaryIO:
    """The pipe to the owner. Afterwards a print() of any library goes to standard error."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return pipe


def allow_all_files() -> None:
    """Each connection is one: the soft limit of 1,024 open files would be the load's limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
