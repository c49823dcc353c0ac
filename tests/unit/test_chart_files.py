"""The chart's data against the code. What Helm makes of it: tests/integration/test_chart.py, where Helm is built."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from scale_app.domain.cluster import Need
from scale_app.domain.source import NEEDS
from tests.cluster.layout import PROJECT
from tests.unit.test_k8s_manifests import folder_of, rules_of

CHART = PROJECT / "k8s/chart"
RIGHTS = yaml.safe_load((CHART / "rights.yaml").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def test_there_is_a_right_for_each_thing_that_needs_one_and_no_other() -> None:
    assert sorted(RIGHTS) == sorted(map(folder_of, NEEDS))
    assert sorted(SCHEMA["properties"]["cluster"]["properties"]["rights"]["properties"]) == sorted(RIGHTS)


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.source)
def test_a_right_grants_exactly_what_its_thing_needs(need: Need) -> None:
    right = RIGHTS[folder_of(need)]
    assert rules_of(right) == set(need.rules)
    assert right.get("clusterWide", False) is need.cluster_wide


def test_every_value_is_in_the_schema_which_takes_no_other() -> None:
    def check(values: Any, schema: Any, where: str) -> None:
        if "properties" not in schema:
            return
        assert schema["additionalProperties"] is False, where
        assert set(values) <= set(schema["properties"]), where
        for name, value in values.items():
            check(value, schema["properties"][name], f"{where}.{name}")

    check(VALUES, SCHEMA, "values")
    assert set(SCHEMA["properties"]) - set(VALUES) == {"global"}


def test_the_charts_version_is_the_projects() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert chart["version"] == chart["appVersion"] == project


def test_no_part_of_the_chart_is_read_by_a_plain_apply() -> None:
    """`kubectl apply -f k8s/` reads the files of that folder alone, and Kustomization what it lists."""
    listed = yaml.safe_load((CHART.parent / "Kustomization").read_text())["resources"]
    assert [name for name in listed if "/" in name] == []


def test_settings_that_a_value_sets_are_refused_beside_it() -> None:
    own = re.search(r'define "scale.ownSettings" -}}\n(.+)\n', (CHART / "templates/_objections.tpl").read_text())
    assert own
    used = set(re.findall(r"SCALE_[A-Z_]+", (CHART / "templates/_names.tpl").read_text()))
    assert used | {"SCALE_HOST", "SCALE_PORT", "SCALE_PROBE_PORT", "SCALE_KUBE_NODE"} == set(own[1].split(","))
