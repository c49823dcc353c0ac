"""The documentation says what the code does: made pages are current, links lead somewhere, examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics_core import CounterMetricFamily

from scale_app.api.metrics import FAMILIES
from scale_app.api.reference import slug
from scale_app.cli.commands import scale
from scale_app.codec import to_wire
from scale_app.codec.plan_text import plan_from_text, plan_to_text
from scale_app.domain.balance import balance
from scale_app.domain.gate import Gate
from tests.explaining import SCENES, picture
from tests.reference import PAGES

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
WORDS = {"all pages": 20_000, "README.md": 900}
"""The most words of prose on all pages, and of everything in README.md."""
PAGES_WRITTEN = sorted(
    [*DOCS.rglob("*.md"), PROJECT / "README.md", PROJECT / "ARCHITECTURE.md", PROJECT / "CONTRIBUTING.md"]
)


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_made_from_the_code_is_current(name: str, request: pytest.FixtureRequest) -> None:
    kept, made = DOCS / "reference" / name, PAGES[name]()
    if request.config.getoption("--update-golden"):
        kept.write_text(made)
    assert kept.read_text() == made, f"docs/reference/{name} is not what the code says: pytest --update-golden"


@pytest.mark.parametrize("name", SCENES)
def test_a_picture_of_the_explanation_is_the_products_own(name: str, request: pytest.FixtureRequest) -> None:
    kept, made = DOCS / "pictures/statistics" / name, picture(SCENES[name])
    if request.config.getoption("--update-golden"):
        kept.write_text(made)
    assert kept.read_text() == made, f"{name} is not what the product draws: pytest --update-golden"


def test_the_explanation_says_what_its_pictures_show() -> None:
    verdicts = [SCENES[name].verdict().kind.value for name in SCENES]
    assert verdicts == ["UNDECIDED", "EVEN", "UNDECIDED", "UNEVEN"]
    fair, weighted = (balance(SCENES[name].picks()).score for name in ("fair-50.svg", "weighted-50.svg"))
    assert fair is not None
    assert weighted is not None
    assert fair < weighted


def test_every_setting_that_is_read_is_in_the_reference() -> None:
    source = "".join((PROJECT / "scale_app" / name).read_text() for name in ("settings.py", "identity_settings.py"))
    read = set(re.findall(r'"(SCALE_[A-Z0-9_]+)"', source))
    told = set(re.findall(r"SCALE_[A-Z0-9_]+", (DOCS / "reference/settings.md").read_text()))
    assert read - told == set()


def test_every_metric_is_told() -> None:
    page = (DOCS / "metrics.md").read_text()
    counters = {family: "_total" if kind is CounterMetricFamily else "" for kind, family, *_ in FAMILIES}
    assert [name for name, ending in counters.items() if f"| `{name}{ending}` |" not in page] == []
    assert len(re.findall(r"^\| `scale_", page, re.MULTILINE)) == len(counters) + 6


def prose(page: Path) -> list[str]:
    """The words of a page that are read one after the other: those of tables and code left out."""
    text = re.sub(r"^```.*?^```|<!--.*?-->", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("|") and not line.startswith("    ")]
    return " ".join(lines).split()


def test_the_pages_are_short() -> None:
    pages = [PROJECT / "README.md", *DOCS.rglob("*.md")]
    assert sum(len(prose(page)) for page in pages) <= WORDS["all pages"]
    assert len((PROJECT / "README.md").read_text().split()) <= WORDS["README.md"]


def test_settings_are_listed_in_the_reference_alone() -> None:
    listing = [page.name for page in PAGES_WRITTEN if re.search(r"^\| `SCALE_", page.read_text(), re.MULTILINE)]
    assert listing == ["settings.md"]


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in inside if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_into_pages_lead_to_a_heading(page: Path) -> None:
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        headings = re.findall(r"^#+ (.+)$", (page.parent / link if link else page).read_text(), re.MULTILINE)
        assert anchor in [slug(heading.replace("`", "")) for heading in headings], f"{link}#{anchor}"


COMMAND = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*scale ([a-z]+)((?: .*)?)$", re.MULTILINE)


def test_the_pages_show_most_commands() -> None:
    shown = {name for page in PAGES_WRITTEN for name, _ in COMMAND.findall(page.read_text())}
    assert {"run", "compare", "export", "worker"} <= shown


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=lambda page: str(page.relative_to(PROJECT)))
def test_commands_in_pages_exist_with_their_flags(page: Path) -> None:
    for line in COMMAND.findall(page.read_text()):
        command = scale.commands[line[0]]
        commands = [command, *getattr(command, "commands", {}).values()]
        known = {flag for one in commands for each in one.params for flag in each.opts} | {"--help"}
        assert set(re.findall(r"(?<=\s)--[a-z-]+", line[1])) <= known, line


def test_what_a_page_calls_by_its_label_is_on_the_screen() -> None:
    shown = "".join(
        path.read_text() for room in ("ui", "views") for path in (PROJECT / "scale_app" / room).rglob("*.py")
    )
    guides = [PROJECT / "README.md", DOCS / "tutorial.md", *(DOCS / "how-to").glob("*.md")]
    labels = {label for page in guides for label in re.findall(r"[a-z*:] \*\*([A-Z][^*.?]+)\*\*", page.read_text())}
    assert {"Start", "Targets", "Run the experiment"} <= labels
    assert [label for label in sorted(labels) if f'"{label}"' not in shown] == []


def test_the_files_that_pages_name_are_there() -> None:
    named = {
        (page.name, name)
        for page in [*PAGES_WRITTEN, PROJECT / "tests/cluster/README.md"]
        for name in re.findall(r"\b(?:tests|docs|scale_app|k8s)/[\w./-]+\.[a-z]{2,4}\b", page.read_text())
    }
    assert len(named) > 10
    assert [f"{page}: {name}" for page, name in sorted(named) if not (PROJECT / name).exists()] == []


@pytest.mark.parametrize("plan", sorted((DOCS / "examples").glob("*plan*.yaml")), ids=lambda plan: plan.name)
def test_an_example_plan_can_be_run(plan: Path) -> None:
    read = plan_from_text(plan.read_bytes())
    assert plan_from_text(plan_to_text(read)) == read
    written = yaml.safe_load(plan.read_bytes())
    asks_a_gate = written.pop("gate", None) is not None
    assert written.items() <= to_wire(read).items()
    assert (read.gate != Gate()) is asks_a_gate


def test_the_example_workflow_runs_commands_that_exist() -> None:
    workflow = yaml.safe_load((DOCS / "examples/balance-workflow.yaml").read_text())
    steps = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    used = {name for step in steps for name in re.findall(r"\bscale ([a-z]+)", step)}
    assert used
    assert used <= set(scale.commands)
