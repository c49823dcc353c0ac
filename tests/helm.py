"""The project's chart as Helm renders it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.binaries import HELM
from tests.cluster.layout import PROJECT, cache_folder

PROGRAM = cache_folder() / "bin" / HELM
"""Built from its Go module by `make test-cluster`, which takes too long for every `make test`."""
NEEDS_HELM = pytest.mark.skipif(not PROGRAM.exists(), reason="helm is not built: `make test-cluster` builds it")
CHART = PROJECT / "k8s" / "chart"
OPEN: dict[str, Any] = {"auth": {"mode": "none"}}
Objects = dict[tuple[str, str, str], dict[str, Any]]
"""{(kind, namespace or "", name): object}"""


def helm(
    *arguments: str, values: Mapping[str, Any] | None = None, limit_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Helm's answer. values: given as a file of values, if any."""
    given = [] if values is None else ["--values", "-"]
    command = [str(PROGRAM), *arguments, *given]
    text = yaml.safe_dump(values)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=limit_s, check=False)


def rendered(
    values: Mapping[str, Any], release: str = "scale", namespace: str = "scale", chart: Path = CHART
) -> Objects:
    """What the chart makes of these values. Raises AssertionError with Helm's complaint."""
    done = helm("template", release, str(chart), "--namespace", namespace, values=values)
    assert done.returncode == 0, done.stderr
    found = [document for document in yaml.safe_load_all(done.stdout) if document]
    objects = {name_of(document): document for document in found}
    assert len(objects) == len(found), "two objects have the same name"
    return objects


def refusal(values: Mapping[str, Any]) -> str:
    """What Helm says to values that it does not take. Raises AssertionError when it takes them."""
    done = helm("template", "scale", str(CHART), values=values)
    assert done.returncode != 0, "these values were taken"
    return done.stderr


def name_of(document: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def of_kind(objects: Objects, kind: str) -> dict[str, Any]:
    """The one object of this kind."""
    (found,) = [document for (its, _, _), document in objects.items() if its == kind]
    return found


def environment(objects: Objects) -> dict[str, Any]:
    """The server's variables: texts, and where those come from that are no text."""
    (container,) = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
