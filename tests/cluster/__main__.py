"""`python -m tests.cluster COMMAND`; without one it says which there are.

up [NAME]             bring up a cluster that stays; NAME is "kept" unless given
down [NAME]           end it
exec COMMAND ...      run a command inside it, as a client whose address the pods see
kubectl ARGUMENTS ... the cluster's kubectl, as administrator
build                 only build and pack what a cluster needs
image                 only build the product's image; prints its archive's path
test [ARGUMENTS]      bring up a cluster, run the tests inside it (arguments are pytest's), end it

SCALE_CLUSTER names the cluster of exec and kubectl, "kept" unless given.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.cluster.binaries import BuildFailed, make_programs
from tests.cluster.handle import NAMED_BY, Cluster
from tests.cluster.layout import HERE, PROJECT, Layout
from tests.cluster.owning import NoStart, end_kept, kept_cluster, owned_cluster
from tests.cluster.packages import Unavailable, make_available
from tests.cluster.product_image import IMAGE_BY, make_product_image
from tests.serving import build_page

SKIPPED = 0
FAILED = 1
USAGE = 2
TESTS_LIMIT_S = 3_000
BESIDE = ("test_oauth2_proxy.py", "test_chart.py", "test_monitoring.py")
TESTS = [str(HERE), *(str(PROJECT / "tests/integration" / name) for name in BESIDE)]
"""Those that need a cluster, and those that need a program which is built with it."""
SKIP_NOTICE = PROJECT / "build" / "cluster-tests-skipped"
"""Says why the tests were skipped the last time; not there when they ran. `.ci/run` ends with it."""


def main(arguments: list[str]) -> int:
    """The exit code."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(__doc__)
        return USAGE
    try:
        return command(arguments[1:])
    except (NoStart, BuildFailed) as error:
        print(f"No cluster: {error}", file=sys.stderr)
        return FAILED
    except Unavailable as error:
        return _skipped(str(error))


def _up(rest: list[str]) -> int:
    os.environ[NAMED_BY] = kept_cluster(_name(rest)).layout.name
    return _kubectl(["get", "nodes", "-o", "wide"])


def _down(rest: list[str]) -> int:
    print("ended" if end_kept(_name(rest)) else f"There is no cluster named {_name(rest)}.")
    return 0


def _exec(rest: list[str]) -> int:
    cluster = Cluster(os.environ.get(NAMED_BY, "kept"))
    if not cluster.layout.ready.exists():
        print(f"There is no cluster named {cluster.layout.name}: `python -m tests.cluster up` first.", file=sys.stderr)
        return FAILED
    return subprocess.run([*cluster.entering(), *rest], env=cluster.environment(), check=False).returncode


def _kubectl(rest: list[str]) -> int:
    return _exec([Layout.of("").binary("kube"), "kubectl", *rest])


def _build(_rest: list[str]) -> int:
    make_available()
    make_programs()
    return 0


def _image(_rest: list[str]) -> int:
    make_available()
    print(make_product_image())
    return 0


def _test(arguments: list[str]) -> int:
    SKIP_NOTICE.unlink(missing_ok=True)
    make_available()
    # Before there is a cluster: inside it nothing can be fetched.
    build_page()
    image = os.environ.get(IMAGE_BY) or make_product_image()
    with owned_cluster(f"test-{os.getpid()}") as cluster:
        command = [sys.executable, "-m", "pytest", *(arguments or TESTS)]
        tests = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *cluster.entering(), *command],
            cwd=PROJECT,
            env={**cluster.environment(), IMAGE_BY: str(image)},
        )
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest gets it too, and ends in its own good order
        try:
            return tests.wait(TESTS_LIMIT_S)
        except subprocess.TimeoutExpired:
            print(f"The tests did not end within {TESTS_LIMIT_S} s and were broken off.", file=sys.stderr)
            tests.kill()
            return FAILED


def _name(rest: list[str]) -> str:
    return rest[0] if rest else "kept"


def _skipped(why: str) -> int:
    line = "#" * 100
    banner = f"{line}\n#  THE TESTS ON A REAL CLUSTER WERE SKIPPED. {why}\n{line}"
    SKIP_NOTICE.parent.mkdir(exist_ok=True)
    SKIP_NOTICE.write_text(f"{banner}\n")
    print(banner, file=sys.stderr)
    return SKIPPED


COMMANDS = {
    "up": _up,
    "down": _down,
    "exec": _exec,
    "kubectl": _kubectl,
    "build": _build,
    "image": _image,
    "test": _test,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
