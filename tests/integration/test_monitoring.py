"""Rules and /metrics by the code of promtool itself, the dashboard by Grafana's own schema."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.binaries import MONITORING
from tests.cluster.layout import cache_folder
from tests.monitoring import RULES, dashboard, queries
from tests.serving import build_page, fetch, served

PROGRAM = cache_folder() / "bin" / MONITORING
pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(), reason="the program `monitoring` is not built: `make test-cluster` builds it"
)
PLAN = {"target_url": "simulated", "users": 4, "duration_s": 30}


def complaints(what: str, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [str(PROGRAM), what, *arguments], input=given, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stderr == ""
    return done.stdout


def test_the_rules_are_in_order() -> None:
    assert complaints("rules", str(RULES)) == ""


def test_a_rule_that_is_not_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "alerts.yaml"
    wrong.write_text(RULES.read_text().replace("== 1", "== one of", 1))
    assert "could not parse expression" in complaints("rules", str(wrong))


def test_every_query_can_be_parsed() -> None:
    assert complaints("queries", given="\n".join(queries())) == ""
    assert "rate(" in complaints("queries", given="rate(scale_requests_total)")


def test_the_metrics_of_a_server_with_a_run_are_in_order(tmp_path: Path) -> None:
    build_page()
    with served(scratch=tmp_path) as server:
        status, _ = fetch(f"{server.url}/api/v1/runs", {"Content-Type": "application/json"}, json.dumps(PLAN).encode())
        assert status == 201
        for _ in range(100):
            page = server.get("/metrics")[1].decode()
            if "scale_request_latency_seconds_bucket{" in page:
                break
            time.sleep(0.2)
        assert "scale_balance_score{" in page
        assert complaints("metrics", given=page) == ""


def test_the_dashboard_is_as_grafana_has_it() -> None:
    assert complaints("dashboard", given=json.dumps(dashboard())) == ""


def test_a_dashboard_that_is_not_would_be_found() -> None:
    wrong = json.dumps(dashboard()).replace('"gridPos"', '"place"', 1)
    assert "unexpected field 'place'" in complaints("dashboard", given=wrong)


def test_metrics_that_are_not_would_be_found() -> None:
    page = "# TYPE scale_lag_milliseconds gauge\nscale_lag_milliseconds 1\n"
    assert "no help text" in complaints("metrics", given=page)
