"""Settings of the kernel that clusters change and no namespace holds: kept from the first cluster on, put back by the
last, whoever that is and however the others ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KERNEL = Path("/proc/sys")
KEPT = Path("/run/scale-cluster")
"""Gone with the next start of the machine, as the settings are."""
# The kubelet sets these.
CHANGED = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
# Three kubelets watch more files than a machine allows one user by default.
AT_LEAST = {"fs/inotify/max_user_instances": 2_048, "fs/inotify/max_user_watches": 131_072}


class KernelSettings:
    """Those of a machine. kernel: where they are read and written. kept: the folder that all clusters share."""

    def __init__(self, kernel: Path = KERNEL, kept: Path = KEPT) -> None:
        self._kernel, self._folder = kernel, kept
        self._values = kept / "kernel.json"

    @contextmanager
    def kept(self) -> Iterator[None]:
        """A block that may change them; when nobody else is in such a block after it, they are as they were."""
        with self._user() as user:
            with self._one_at_a_time():
                if _alone(user):
                    self._put_back()  # of one that was killed
                    self._keep()
                fcntl.flock(user, fcntl.LOCK_SH)
            try:
                yield
            finally:
                self._put_back_if_last(user)

    def put_back_if_unused(self) -> None:
        """What one that was killed could not do."""
        if self._values.exists():
            with self._user() as user:
                self._put_back_if_last(user)

    def raise_limits(self) -> None:
        """Those on how many files may be watched."""
        for name, least in AT_LEAST.items():
            now = int((self._kernel / name).read_text())
            (self._kernel / name).write_text(str(max(least, now)))

    def _put_back_if_last(self, user: int) -> None:
        with self._one_at_a_time():
            if _alone(user):
                self._put_back()

    def _keep(self) -> None:
        values = {name: (self._kernel / name).read_text() for name in (*CHANGED, *AT_LEAST)}
        unfinished = self._values.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(values))
        unfinished.replace(self._values)

    def _put_back(self) -> None:
        if not self._values.exists():
            return
        for name, value in json.loads(self._values.read_text()).items():
            with contextlib.suppress(OSError):  # where it may not be written, the kubelet could not either
                (self._kernel / name).write_text(value)
        self._values.unlink()

    @contextmanager
    def _user(self) -> Iterator[int]:
        self._folder.mkdir(exist_ok=True)
        user = os.open(self._folder / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            yield user
        finally:
            os.close(user)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _alone(user: int) -> bool:
    """True when no other is in its block; nobody can enter one meanwhile."""
    try:
        fcntl.flock(user, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
