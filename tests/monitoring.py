"""The dashboard for Grafana and the rules for Prometheus, as the tests read them."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from tests.cluster.layout import PROJECT

FOLDER = PROJECT / "k8s" / "monitoring"
RULES = FOLDER / "alerts.yaml"
SELECTOR = re.compile(r"\b((?:scale|process)_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!=|=)\s*"([^"]*)"')


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
    return found


def alert_rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def queries() -> list[str]:
    """Every expression of the dashboard and of the rules, with what Grafana puts in for its variables."""
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    shown = [each.replace("$__rate_interval", "30s").replace("$run", ".*").replace("$target", ".*") for each in panels]
    return shown + [rule["expr"] for rule in alert_rules()]


def selectors() -> list[tuple[str, dict[str, str]]]:
    """(name of a series, {label: what it is held against}) of every query."""
    found = [match for query in queries() for match in SELECTOR.findall(query)]
    return [(name, dict(MATCHER.findall(matchers))) for name, matchers in found]
