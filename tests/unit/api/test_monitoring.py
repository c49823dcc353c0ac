"""What dashboard and rules ask for is what /metrics gives: names, labels, and the values that they are held against."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.samples import PodCount
from tests.fakes_load import traffic
from tests.monitoring import alert_rules, dashboard, queries, selectors
from tests.unit.api.conftest import Site

ADDED_BY_PROMETHEUS = {"job", "instance"}


def given(site: Site) -> dict[str, list[dict[str, str]]]:
    """{name of a series: labels of each} while a run goes on."""
    site.started()
    of_a = PodCount(requests=100, connections=100, latency=Histogram({bucket_of(0.004): 100}))
    site.call(lambda: site.harness.load.play(replace(traffic(1, a=100), pods={"a": of_a})))
    site.call(site.harness.clock.advance, 1.5)
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(site.client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def test_every_query_names_series_that_the_server_gives(site: Site) -> None:
    series = given(site)
    assert len(selectors()) > 20
    assert sorted({name for name, _ in selectors()} - set(series)) == []


def test_every_label_that_a_query_asks_for_has_that_value(site: Site) -> None:
    series = given(site)
    for name, asked in selectors():
        for label, value in asked.items():
            had = {labels.get(label) for labels in series[name]}
            assert None not in had, (name, label)
            assert any(re.fullmatch(value, str(each)) for each in had), (name, label, value)


def test_labels_that_are_shown_or_grouped_by_are_there(site: Site) -> None:
    series = given(site)
    labels = {label for each in series.values() for one in each for label in one} | ADDED_BY_PROMETHEUS
    legends = [target["legendFormat"] for panel in dashboard()["panels"] for target in panel["targets"]]
    told = [text for rule in alert_rules() for text in rule["annotations"].values()]
    used = set(re.findall(r"{{ ?(?:\$labels\.)?(\w+) ?}}", " ".join(legends + told)))
    grouped = {
        name.strip() for group in re.findall(r"(?:by|on) \(([^)]*)\)", " ".join(queries())) for name in group.split(",")
    }
    assert (used | grouped) - labels == set()
    assert {"verdict", "pod", "target"} <= used


def test_the_dashboard_is_laid_out_without_gaps_or_overlaps() -> None:
    panels: list[dict[str, Any]] = dashboard()["panels"]
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["targets"] for panel in panels)


def test_the_dashboard_asks_the_prometheus_that_the_viewer_chooses() -> None:
    variables = {each["name"]: each for each in dashboard()["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    asked = [each["datasource"]["uid"] for panel in dashboard()["panels"] for each in (panel, *panel["targets"])]
    assert set(asked) == {"${datasource}"}
    used = {name for panel in dashboard()["panels"] for name in re.findall(r"\$(\w+)", str(panel["targets"]))}
    assert used - {"__rate_interval"} <= set(variables)


def test_each_alert_says_what_is_wrong_in_a_sentence() -> None:
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 5
    assert all(rule["annotations"]["summary"].endswith(".") for rule in rules)
    assert {rule["labels"]["severity"] for rule in rules} <= {"info", "warning", "critical"}
