"""What it takes to begin: CPU of small commands, and CPU and memory of a server that nobody has asked anything.

    python -m tests.bench.start        # prints, writes build/bench-start.json

Goals: `scale --help` 0.3 s, `scale runs` 0.6 s, a server at rest 150 MB. CPU is user and system time of the process,
the least of REPEATS; a busy machine makes it more. The page must be built.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.machine import circumstances
from tests.bench.ui_server import cpu_s
from tests.serving import PROJECT, Served, served

REPEATS = 5
REST_S = 5.0
RESULT = Path("build/bench-start.json")
COMMANDS = (["--help"], ["runs"], ["runs", "--help"], ["export", "--help"])


def main() -> None:
    """Measure, print, write."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        commands = {f"scale {' '.join(each)}": least_cpu_s(each, Path(scratch)) for each in COMMANDS}
        with served(scratch=Path(scratch)) as server:
            rest = at_rest(server)
    for name, used_s in commands.items():
        print(f"{name:<24} {used_s:5.2f} s of CPU")
    print(f"scale serve              {rest['cpu_s']:5.2f} s of CPU until ready, {rest['mb']} MB at rest")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"commands_cpu_s": commands, "server": rest, **circumstances(load)}, indent=1) + "\n")


def least_cpu_s(arguments: Sequence[str], scratch: Path) -> float:
    """Of REPEATS runs of a command, after one that makes the tables and the bytecode."""
    environment = {**os.environ, "SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{scratch}/commands.db"}
    command = [sys.executable, "-m", "scale_app.cli", *arguments]
    used = []
    for _ in range(REPEATS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return round(min(used[1:]), 3)


def at_rest(server: Served) -> dict[str, Any]:
    """A server that has shown its page once and its list of runs."""
    began = cpu_s(server.process.pid)
    for path in ("/", "/readyz", "/api/v1/runs", "/healthz"):
        status, body = server.get(path)
        assert status == 200, body
    time.sleep(REST_S)
    return {"cpu_s": round(began, 2), "mb": resident_mb(server.process.pid)}


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM, in MiB, libraries that it shares with others included."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024, 1)


if __name__ == "__main__":
    main()
