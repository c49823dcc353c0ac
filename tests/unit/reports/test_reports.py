"""Reports of one recorded run, held to files that people have looked at, and what no run may do to a report."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from junitparser import JUnitXml

from scale_app.domain.errors import BadRunFile
from scale_app.domain.events import AlertRaised
from scale_app.domain.gate import Gate, Levels
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodSpans
from scale_app.domain.recording import WholeRun, replayed
from scale_app.domain.snapshot import RunState, Source
from scale_app.reports import FORMATS, export, run_from_json
from scale_app.views.presenting import run_view
from tests.recorded import EVEN, whole_run

GATE = Gate(score=Levels(0.97, 0.95), p95_ms=Levels(50, 100), failure_share=Levels(0.02), pods=2)
NASTY = '=cmd|<script>alert(1)</script> [x](http://e.example) @all `"'


@pytest.fixture(scope="module")
def run() -> WholeRun:
    return whole_run(plan=LoadPlan(users=50, duration_s=12, gate=GATE))


@pytest.fixture(scope="module")
def nasty(run: WholeRun) -> WholeRun:
    """A run whose pods, failures and message were named by an enemy."""
    last = run.record.last
    assert last is not None
    pods = (replace(last.pods[0], name=NASTY, node=NASTY), *last.pods[1:])
    last = replace(last, pods=pods, errors={NASTY: 3}, message=NASTY)
    return replace(run, record=replace(run.record, last=last, message=f"{NASTY}\x00\x1b", state=RunState.FAILED))


def text_of(whole: WholeRun, form: str) -> str:
    return export(whole, form).content.decode()


@pytest.mark.parametrize("form", ["csv", "seconds", "junit", "markdown", "html"])
def test_a_report_is_the_one_that_people_have_looked_at(
    run: WholeRun, form: str, golden: Callable[[str, str], None]
) -> None:
    golden(f"run.{FORMATS[form].ending}", text_of(run, form))


def test_json_gives_the_run_back_and_replays_to_the_same_figures(run: WholeRun) -> None:
    back = run_from_json(export(run, "json").content)
    assert back == run
    assert replayed(back) == run
    assert json.loads(text_of(run, "json"))["gate"]["outcome"] == "failed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not JSON"),
        ("[]", "it is not the JSON export of a run"),
        ('{"test_id": 1}', "it is not the JSON export of a run"),
        ('{"scale_run": 2, "run": {}}', "it is of version 2"),
        ('{"scale_run": 1, "run": {}}', "some of its parts are missing"),
        ("[" * 100_000, "it is not JSON"),
    ],
)
def test_a_file_that_is_no_run_says_why_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(BadRunFile, match=said):
        run_from_json(text)


def test_every_report_of_a_run_without_data_says_so(run: WholeRun) -> None:
    record = replace(run.record, last=None, state=RunState.FAILED, message="Nobody answered.")
    empty = WholeRun(record)
    assert "No data" in text_of(empty, "markdown")
    assert "Nobody answered." in text_of(empty, "html")
    assert text_of(empty, "csv").count("\n") == text_of(empty, "seconds").count("\n") == 1
    suite = next(iter(JUnitXml.fromstring(export(empty, "junit").content)))
    assert (suite.errors, suite.failures) == (1, 4 + 1)
    assert run_from_json(text_of(empty, "json")) == empty


def test_a_simulated_run_says_so_in_every_report_for_people(run: WholeRun) -> None:
    invented = replace(run, record=replace(run.record, source=Source.SIMULATED))
    for form in ("markdown", "html"):
        assert "These counts are invented" in text_of(invented, form)


def test_junit_has_a_case_for_each_threshold(run: WholeRun) -> None:
    suite = next(iter(JUnitXml.fromstring(export(run, "junit").content)))
    assert [case.name for case in suite] == ["run", "verdict", "score", "p95_ms", "failure_share", "pods"]
    assert [case.is_passed for case in suite] == [True, False, False, True, True, True]
    even = whole_run(EVEN)
    assert next(iter(JUnitXml.fromstring(export(even, "junit").content))).failures == 0


def test_names_from_outside_change_no_report(nasty: WholeRun) -> None:
    JUnitXml.fromstring(export(nasty, "junit").content)
    cell = next(csv.DictReader(io.StringIO(text_of(nasty, "csv"))))
    assert (cell["name"], cell["node"]) == (f"'{NASTY}", f"'{NASTY}")
    page = text_of(nasty, "html")
    assert "<script>alert" not in page
    assert page.count("<script") == 1
    assert NASTY not in page
    summary = text_of(nasty, "markdown")
    assert not re.search(r"(?<!\\)[<\[`]", summary.replace("<sub>", "").replace("</sub>", ""))
    assert "@all" not in summary
    assert "http://" not in summary
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", summary)


@pytest.mark.parametrize("name", ["a;=1+1", "a\t=1+1", "a|=1+1", "\uff1d1+1", "\n=1+1"])
def test_no_part_of_a_name_is_a_cell_of_its_own_to_any_spreadsheet(run: WholeRun, name: str) -> None:
    last = run.record.last
    assert last is not None
    evil = replace(last, pods=(replace(last.pods[0], name=name), *last.pods[1:]))
    told = text_of(replace(run, record=replace(run.record, last=evil)), "csv").split("\r\n")[1]
    assert told.startswith((f'"{name}",', f'"\'{name}",'))
    assert not told.startswith(('"=', '"\n', '"\uff1d'))


class _Page(HTMLParser):
    """What a page would load, run or link to, and what it shows by test id."""

    def __init__(self) -> None:
        super().__init__()
        self.reaches: list[str] = []
        self.tags: list[str] = []
        self.figures: dict[str, str] = {}
        self._here = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._here = dict(attrs).get("data-testid") or ""
        reaching = [(name, value or "") for name, value in attrs if name in ("src", "href", "srcset", "action")]
        self.reaches += [
            f"{name}={value}" for name, value in reaching if not value.startswith("data:image/png;base64,")
        ]
        self.reaches += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self._here:
            self.figures[self._here] = data
        self._here = ""


def test_the_page_needs_no_network(run: WholeRun) -> None:
    text = text_of(run, "html")
    page = _Page()
    page.feed(text)
    assert page.reaches == []
    assert not {"link", "iframe", "object", "form"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text


def test_the_pages_one_script_is_the_one_that_its_policy_allows(run: WholeRun) -> None:
    text = text_of(run, "html")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (allowed,) = re.findall(r"script-src '(.*?)'\"", text)
    assert allowed == f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def test_the_page_has_the_heat_map_of_the_page(run: WholeRun) -> None:
    view = run_view(run.record, run.points, run.happened, run.pods.times)
    text = text_of(run, "html")
    assert view.heat.image.startswith("data:image/png")
    assert f'src="{view.heat.image}" alt="{view.heat.summary}" style="width:{view.heat.width}"' in text
    assert f'data-rows="{view.heat.rows}"' in text


def test_a_page_of_many_pods_for_an_hour_can_be_sent_by_mail(run: WholeRun) -> None:
    """A report of a megabyte would not be looked at by those whom it is sent to."""
    pods = PodSpans(tuple(f"api-{at:05d}" for at in range(500)), 30.0, ((20.0,) * 120,) * 500, ((20.0,) * 120,) * 500)
    assert len(text_of(replace(run, pods=pods), "html").encode()) < 60_000


def test_the_page_shows_the_figures_of_the_page(run: WholeRun) -> None:
    page, view = _Page(), run_view(run.record, run.points, run.happened)
    page.feed(text_of(run, "html"))
    assert page.figures["score"] == view.figures.score
    assert page.figures["sentence"] == view.figures.says
    for name in ("requests", "rate", "cv", "p95", "failures"):
        assert page.figures[f"figure-{name}"] == getattr(view.figures, name)


def test_charts_mark_what_happened(run: WholeRun) -> None:
    alert = next(event for event in run.happened if isinstance(event, AlertRaised))
    text = text_of(run, "html")
    assert f'data-tone="bad" style="left:{100 * alert.elapsed_s / 12:.2f}%"' in text
    assert text.count('class="mark"') == 3 * len(run_view(run.record, run.points, run.happened).times.marks) > 0


def test_every_format_names_its_file_and_type(run: WholeRun) -> None:
    made = [export(run, name) for name in FORMATS]
    assert len({one.name for one in made}) == len(FORMATS)
    assert all(one.name.startswith("scale-0b3ef1ce.") for one in made)
