"""The examples for pipelines: every call and every command of theirs, as written, against a real server.

The controllers themselves (Argo Rollouts, Flagger, GitHub, GitLab) do not run here; what they would send is sent, and
what they would go by is looked at.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.serving import PROJECT, Served, build_page, served

EXAMPLES = PROJECT / "docs/examples"
HERE = "http://scale.scale.svc"
"""What the examples call the server."""
FLAGGER_TAKES = 202
"""Flagger's webhooks fail for every status above."""
PLAN: dict[str, Any] = {"target_url": "simulated?pods=4", "users": 8, "duration_s": 3, "requests_per_connection": 1}
GOOD, BAD = PLAN | {"gate": {"pods": 4}}, PLAN | {"gate": {"pods": 5}}


@pytest.fixture(scope="module", autouse=True)
def page() -> None:
    build_page()


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(scratch=tmp_path_factory.mktemp("open")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that asks who calls."""
    environment = {**os.environ, "SCALE_AUTH": "required"}
    with served(environment=environment, scratch=tmp_path_factory.mktemp("signed")) as running:
        yield running


@pytest.fixture(scope="module")
def token(server: Served) -> str:
    """An operator's."""
    command = [sys.executable, "-m", "scale_app.cli", "tokens", "make", "ci", "--role", "operator", "--json"]
    environment = {**os.environ, "SCALE_DATABASE_URL": server.database_url}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["text"])


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def send(method: str, url: str, headers: Mapping[str, str], body: object = None) -> tuple[int, str]:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def save(server: Served, plan: Mapping[str, Any], token: str = "") -> None:
    """Under the name that the examples call it by."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert send("PUT", f"{server.url}/api/v1/plans/cart", headers, plan)[0] == 200


def told(value: Any, server: Served) -> str:
    """A text of an example with this server in place of the one that it names."""
    assert HERE in value
    return str(value).replace(HERE, server.url)


def ran(script: str, folder: Path, plan: Mapping[str, Any], **environment: str) -> subprocess.CompletedProcess[str]:
    """A script of an example, in a folder with its plan."""
    (folder / "balance-plan.yaml").write_text(yaml.safe_dump(dict(plan)))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {**os.environ, "PATH": path, "SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/scale.db", **environment}
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize(("plan", "passed"), [(GOOD, True), (BAD, False)])
def test_what_argo_rollouts_asks_over_the_web(server: Served, token: str, plan: dict[str, Any], passed: bool) -> None:
    template, _ = documents("argo-analysis.yaml")
    (metric,) = template["spec"]["metrics"]
    web = metric["provider"]["web"]
    assert (web["jsonPath"], metric["successCondition"]) == ("{$.passed}", "result == true")
    save(server, plan, token)
    (argument,) = template["spec"]["args"]
    given = {each["key"]: each["value"].replace(f"{{{{args.{argument['name']}}}}}", token) for each in web["headers"]}
    status, body = send(web["method"], told(web["url"], server), given)
    assert (status, json.loads(body)["passed"]) == (200, passed)
    assert send(web["method"], told(web["url"], server), {})[0] == 401


@pytest.mark.parametrize(("plan", "code"), [(GOOD, 0), (BAD, 1)])
def test_the_pod_that_argo_rollouts_starts(
    server: Served, token: str, tmp_path: Path, plan: dict[str, Any], code: int
) -> None:
    _, template = documents("argo-analysis.yaml")
    (metric,) = template["spec"]["metrics"]
    pod = metric["provider"]["job"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = container["volumeMounts"][0]["mountPath"]
    command = " ".join(container["command"]).replace(f"{mounted}/plan.yaml", "balance-plan.yaml")
    variables = {each["name"]: each.get("value", token) for each in container["env"]}
    variables["SCALE_SERVER"] = told(variables["SCALE_SERVER"], server)
    done = ran(command, tmp_path, plan, **variables)
    assert done.returncode == code, done.stderr


def flagger_webhooks() -> list[dict[str, Any]]:
    (canary,) = documents("flagger-canary.yaml")
    found: list[dict[str, Any]] = canary["spec"]["analysis"]["webhooks"]
    return found


PAYLOAD = {"name": "cart", "namespace": "shop", "phase": "Progressing", "checksum": "85d557f47b", "metadata": {}}


@pytest.mark.parametrize(("plan", "passed"), [(GOOD, True), (BAD, False)])
def test_what_flagger_asks_where_nobody_signs_in(open_server: Served, plan: dict[str, Any], passed: bool) -> None:
    save(open_server, plan)
    status, body = send("POST", told(flagger_webhooks()[0]["url"], open_server), {}, PAYLOAD)
    assert (status <= FLAGGER_TAKES) is passed
    if not passed:
        assert "The number of ready pods is 4, below 5." in json.loads(body)["detail"]


@pytest.mark.parametrize(("plan", "passed"), [(GOOD, True), (BAD, False)])
def test_what_flaggers_load_tester_runs_where_people_sign_in(
    server: Served, token: str, tmp_path: Path, plan: dict[str, Any], passed: bool
) -> None:
    save(server, plan, token)
    asked = flagger_webhooks()[1]["metadata"]
    assert asked["type"] == "bash"
    done = ran(told(asked["cmd"], server), tmp_path, plan, SCALE_TOKEN=token)
    assert (done.returncode == 0) is passed, done.stderr
    assert ("below 5" in done.stdout) is not passed


@pytest.mark.parametrize(("plan", "code"), [(GOOD, 0), (BAD, 1)])
def test_the_job_of_gitlab(server: Served, token: str, tmp_path: Path, plan: dict[str, Any], code: int) -> None:
    (pipeline,) = documents("gitlab-ci.yaml")
    job = pipeline["balance"]
    assert job["stage"] in pipeline["stages"]
    done = ran("\n".join(job["script"]), tmp_path, plan, SCALE_SERVER=server.url, SCALE_TOKEN=token)
    assert done.returncode == code, done.stderr
    made = [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]
    assert [name for name in made if not (tmp_path / name).exists()] == []
    assert ElementTree.parse(tmp_path / job["artifacts"]["reports"]["junit"]).getroot().tag == "testsuites"


@pytest.mark.parametrize(("plan", "code"), [(GOOD, 0), (BAD, 1)])
def test_the_steps_of_github(tmp_path: Path, plan: dict[str, Any], code: int) -> None:
    (workflow,) = documents("balance-workflow.yaml")
    steps = {step.get("name", ""): step["run"] for step in workflow["jobs"]["balance"]["steps"] if "run" in step}
    assert ran(steps["Run the plan"], tmp_path, plan).returncode == code
    summary = tmp_path / "summary"
    assert (
        ran(steps["Put the summary into the checks"], tmp_path, plan, GITHUB_STEP_SUMMARY=str(summary)).returncode == 0
    )
    assert "The number of ready pods is 4" in summary.read_text()
    assert (tmp_path / "balance.html").exists()
