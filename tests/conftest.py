"""Golden files: what a person has looked at once, and a test holds ever after. `--update-golden` writes them anew.

Examples that hypothesis makes up may take as long as they take: a busy machine is no fault.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew; look at the difference")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Hold a text to the golden file of this name."""

    def hold(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_bytes(text.encode())
        kept = path.read_bytes().decode() if path.is_file() else ""
        assert text == kept, f"{name} is not what tests/golden/ holds; if it should be: pytest --update-golden"

    return hold
