"""`python -m scale_app.worker <owner pid>`: one load generator, for as long as its owner lives.

`python -m scale_app.worker join <host> <port> <processes>`: a worker for the runs of another machine; `scale worker`.
"""

from __future__ import annotations

import os
import sys

from scale_app.child_process import claim_stdout, die_with_owner
from scale_app.settings import load_worker_listener
from scale_app.worker.redaction import redact_streams


def main() -> None:
    redact_streams()
    if sys.argv[1] == "join":
        join(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        obey(int(sys.argv[1]))


def join(host: str, port: int, processes: int) -> None:
    """The secret comes from the environment: command lines can be read by everybody on a machine."""
    import locust  # noqa: F401 - first: it patches sockets and ssl; whatever was imported before keeps the old ones

    from scale_app.worker.remote_worker import serve_runs

    serve_runs(host, port, processes, load_worker_listener().secret)


def obey(owner_pid: int) -> None:
    """Bind our life to the owner's before the slow import of Locust."""
    die_with_owner(owner_pid)
    output = claim_stdout()
    import locust  # noqa: F401 - first, as above

    from scale_app.worker.load_run import serve

    serve(output)
    # Locust's and gevent's own greenlets and threads would keep the process; everything has been said.
    os._exit(0)


if __name__ == "__main__":
    main()
