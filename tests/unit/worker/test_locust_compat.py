"""What we rely on in Locust and what it does not promise: the installed version must still be the one that was read.

Locust is read here, never imported: that would patch the sockets and threads of the tests. When this fails, read what
has changed, look at `locust_compat` and the tests of worker processes again, and enter the new digest.
"""

from __future__ import annotations

import ast
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

import pytest

WORKER = Path(__file__).parents[3] / "scale_app" / "worker"
COMPAT = WORKER / "locust_compat.py"
RELIED_ON = {
    "__init__.py": "df48c708876e",
    "argument_parser.py parse_options": "f98a430c9c03",
    "rpc/protocol.py Message": "96dae55c26cd",
    "rpc/zmqrpc.py BaseSocket": "8ee055436395",
    "runners.py MasterRunner.__init__": "d0a7f6577b96",
    "runners.py MasterRunner.client_listener": "ded12a9ff20a",
    "runners.py MasterRunner.heartbeat_worker": "b36ef9549b65",
    "runners.py MasterRunner.start": "a5d5e55aa690",
    "runners.py WorkerNode": "f2e4de2602ad",
    "runners.py WorkerNodes": "fdc3de31f39a",
    "runners.py WorkerRunner.__init__": "410c1aae6f17",
    "runners.py WorkerRunner.handle_message": "d874e49451b8",
    "runners.py WorkerRunner.heartbeat": "e908d3c90e50",
    "runners.py WorkerRunner.heartbeat_timeout_checker": "3f2c7aa7813c",
    "runners.py MasterRunner.handle_message": "91257a9152e2",
    "runners.py Runner.stop": "9e799659c793",
    "stats.py StatsEntry.extend": "8beda028a3c1",
    "stats.py StatsError.create_key": "820341dc9452",
    "dispatch.py UsersDispatcher.remove_worker": "8f454036ff37",
    "user/users.py User.start": "49c74061b6a2",
    "user/users.py User.stop": "f317d94af44f",
    "util/load_locustfile.py load_locustfile": "73125fa37d82",
}
"""{file and name in Locust: digest of its source}."""
INTERNAL = {"runners", "load_locustfile", "parse_options", "MasterRunner"}


def _source(place: str) -> str:
    name, _, inner = place.partition(" ")
    text = Path(str(distribution("locust").locate_file(f"locust/{name}"))).read_text()
    node: ast.AST = ast.parse(text)
    for part in inner.split(".") if inner else []:
        node = next(found for found in ast.iter_child_nodes(node) if getattr(found, "name", "") == part)
    return ast.get_source_segment(text, node) or "" if inner else text


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize(("place", "digest"), RELIED_ON.items())
def test_locust_is_still_what_was_read(place: str, digest: str) -> None:
    assert _digest(_source(place)) == digest


def test_the_version_that_was_read_is_the_one_that_is_said() -> None:
    assert f"Locust {distribution('locust').version}." in (ast.get_docstring(ast.parse(COMPAT.read_text())) or "")


@pytest.mark.parametrize("path", sorted(set(WORKER.glob("*.py")) - {COMPAT}), ids=lambda path: path.stem)
def test_nothing_internal_is_touched_elsewhere(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    private = {node.attr for node in nodes if isinstance(node, ast.Attribute) and _is_of_another(node)}
    of_locust = [
        node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("locust")
    ]
    internal = {alias.name for node in of_locust for alias in node.names} & INTERNAL
    assert private | internal == set()


def _is_of_another(node: ast.Attribute) -> bool:
    """A private name, and not of the object itself."""
    ours = ast.unparse(node.value) in ("self", "cls", "super()", "os")  # os._exit is documented
    return node.attr.startswith("_") and not node.attr.startswith("__") and not ours
