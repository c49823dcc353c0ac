"""`python -m scale_app.worker <owner pid>`: one load generator, for as long as its owner lives."""

from __future__ import annotations

import os
import sys

from scale_app.child_process.child import claim_stdout, die_with_owner


def main() -> None:
    """Bind our life to the owner's before the slow import of Locust."""
    die_with_owner(int(sys.argv[1]))
    output = claim_stdout()
    from scale_app.worker.session import serve

    serve(output)
    # Locust's and gevent's own greenlets and threads would keep the process; everything has been said.
    os._exit(0)


if __name__ == "__main__":
    main()
