from pathlib import Path

import pytest
from click.testing import CliRunner

from scale_app.cli import build
from scale_app.cli.commands import scale


@pytest.mark.usefixtures("project")
def test_an_unchanged_page_is_not_built_again() -> None:
    build.BUILT_FROM.write_text(build.page_fingerprint(Path()))
    result = CliRunner().invoke(scale, ["build"])
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("changed", ["rxconfig.py", "assets/logo.svg", "assets/new.svg", "scale_app/ui/page.py"])
def test_a_changed_or_new_source_makes_the_page_old(changed: str) -> None:
    build.BUILT_FROM.write_text(build.page_fingerprint(Path()))
    assert build.page_is_current()
    Path(changed).parent.mkdir(parents=True, exist_ok=True)
    Path(changed).write_text("changed")
    assert not build.page_is_current()


@pytest.mark.usefixtures("project")
def test_a_removed_or_renamed_source_makes_the_page_old() -> None:
    build.BUILT_FROM.write_text(build.page_fingerprint(Path()))
    Path("assets/logo.svg").rename("assets/mark.svg")
    assert not build.page_is_current()


@pytest.mark.usefixtures("project")
def test_a_page_that_is_gone_is_built_again() -> None:
    build.BUILT_FROM.write_text(build.page_fingerprint(Path()))
    build.PAGE.unlink()
    assert not build.page_is_current()


@pytest.mark.usefixtures("project")
def test_a_build_that_fails_says_so_and_is_not_remembered() -> None:
    Path("rxconfig.py").write_text("raise RuntimeError('no such theme')\n")
    result = CliRunner().invoke(scale, ["build"])
    assert result.exit_code == 3
    assert "no such theme" in result.output
    assert (
        result.output.strip()
        .splitlines()[-1]
        .startswith("Building the page with `reflex export` ended with exit code 1:")
    )
    assert not build.page_is_current()
