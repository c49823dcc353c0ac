"""What is imported is named, what is named is pinned, and what is pinned is what gets installed."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# Brought by reflex itself, in its own version.
PARTS_OF_REFLEX = re.compile(r"reflex-(base|components-.*)")


def pins(name: str) -> dict[str, str]:
    """{package: version} of a requirements file or a lock. Every line has to be a pin, or a hash of one."""
    found = {}
    for line in (PROJECT / name).read_text().splitlines():
        if not line or line.startswith(("#", "-r ", " ")):
            continue
        package, version = line.split(";")[0].rstrip("\\ ").split("==")
        found[normal(package)] = version
    return found


def normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def imported_by(folder: str) -> set[str]:
    """Top-level names that the folder's modules import, but for Python's own and the project's."""
    names: set[str] = set()
    for path in (PROJECT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"scale_app", "tests"}


def not_named(folder: str, named: dict[str, str]) -> list[str]:
    distributions = packages_distributions()
    missing = []
    for name in sorted(imported_by(folder)):
        sources = {normal(source) for source in distributions.get(name, [name])}
        if not sources & set(named) and not any(PARTS_OF_REFLEX.fullmatch(source) for source in sources):
            missing.append(name)
    return missing


def test_every_package_that_the_app_imports_is_named() -> None:
    assert not_named("scale_app", pins("requirements.txt")) == []


def test_every_package_that_the_tests_import_is_named() -> None:
    assert not_named("tests", pins("requirements.txt") | pins("requirements-dev.txt")) == []


@pytest.mark.parametrize(
    ("list_", "lock"), [("requirements.txt", "requirements.lock"), ("requirements-dev.txt", "requirements-dev.lock")]
)
def test_a_lock_holds_every_pin(list_: str, lock: str) -> None:
    named, locked = pins(list_), pins(lock)
    assert {package: locked.get(package) for package in named} == named


def test_tests_run_on_what_the_image_holds() -> None:
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {package: dev.get(package) for package in run} == run


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z])", (PROJECT / lock).read_text())[1:]
    assert len(entries) == len(pins(lock))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_both_stages_of_the_image_have_the_base_that_may_be_given_by_its_digest() -> None:
    text = (PROJECT / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert text.index("\nARG BASE=") < text.index("\nFROM ")
