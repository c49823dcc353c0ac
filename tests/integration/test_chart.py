"""The chart against the manifests of k8s/, so that the two never drift; and what it refuses."""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scale_app.identity_settings import load_identity
from scale_app.settings import load_settings
from tests.cluster.layout import PROJECT
from tests.helm import CHART, NEEDS_HELM, OPEN, Objects, environment, helm, name_of, of_kind, refusal, rendered

pytestmark = NEEDS_HELM

K8S = PROJECT / "k8s"
AS_K8S: dict[str, Any] = {
    **OPEN,
    "image": {"tag": "latest"},
    "ingress": {"enabled": True},
}
OF_HELM = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart")
SECRETS = {"SCALE_DATABASE_URL": "database-url", "SCALE_OIDC_CLIENT_SECRET": "oidc", "SCALE_SECRET_CART": "cart"}
FULL: dict[str, Any] = {
    "image": {"repository": "registry.example/scale", "digest": f"sha256:{'0f' * 32}"},
    "imagePullSecrets": [{"name": "registry"}],
    "allowedTargets": ["*.shop.svc", "kubernetes:shop/*"],
    "allowedHosts": ["scale.internal"],
    "publicUrl": "https://scale.example.com",
    "auth": {
        "mode": "required",
        "roles": {"viewer": ["*"], "operator": ["sre", "qa"]},
        "proxy": {"networks": ["10.0.0.7"]},
        "oidc": {"issuer": "https://login.example/realms/main", "clientId": "scale"},
    },
    "existingSecret": "scale",
    "secretSettings": SECRETS,
    "historyMegabytes": 1_500_000,
    "settings": {"SCALE_MAX_USERS": "2000", "SCALE_SECRET_CART_FOR": "cart.shop.svc"},
    "persistence": {"enabled": False},
    "cluster": {
        "enabled": True,
        "namespaces": ["shop", "cart"],
        "rights": {"targets": [], "nodes": [], "envoy": ["edge"], "pods": ["*"]},
    },
    "ingress": {"enabled": True, "tlsSecret": "scale-tls"},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "web", "namespace": "edge"}], "hostnames": ["s.example"]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "tokenKey": "token"},
    "podDisruptionBudget": {"enabled": True},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "load", "operator": "Exists"}],
    "podAnnotations": {"team": "sre"},
}


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """Without what Helm adds to every object, and what differs on purpose."""
    found = copy.deepcopy(document)
    _without_helms_labels(found)
    if found["kind"] == "PersistentVolumeClaim":
        found["metadata"].pop("annotations", None)  # it outlives `helm uninstall`
    if found["kind"] == "Deployment":
        (container,) = found["spec"]["template"]["spec"]["containers"]
        container.pop("imagePullPolicy", None)
        variables = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
        container["env"] = {name: value for name, value in variables.items() if value != ""}
    return found


def _without_helms_labels(part: Any) -> None:
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _without_helms_labels(inner)
    if isinstance(part, dict):
        for label in OF_HELM:
            part.pop(label, None)


def manifests(*paths: Path) -> Objects:
    documents = [document for path in paths for document in yaml.safe_load_all(path.read_text())]
    return {name_of(document): document for document in documents}


def test_the_chart_gives_the_objects_of_k8s() -> None:
    ours, theirs = manifests(*K8S.glob("*.yaml")), rendered(AS_K8S)
    assert sorted(theirs) == sorted(ours)
    assert {name: plain(theirs[name]) for name in ours} == {name: plain(ours[name]) for name in ours}


def test_what_is_optional_is_off() -> None:
    kinds = {kind for kind, _, _ in rendered(OPEN)}
    assert kinds == {"ServiceAccount", "PersistentVolumeClaim", "Deployment", "Service", "NetworkPolicy"}


RIGHTS = sorted(path.parent.name for path in K8S.glob("rights/*/role.yaml"))


@pytest.mark.parametrize("right", RIGHTS)
def test_a_right_is_the_one_of_k8s(right: str) -> None:
    ours = manifests(K8S / "rights" / right / "role.yaml")
    values = {**OPEN, "cluster": {"enabled": True, "rights": {right: ["shop"]}}}
    theirs = {name: found for name, found in rendered(values).items() if "Role" in name[0]}
    assert {kind: name for kind, _, name in theirs} == {kind: name for kind, _, name in ours}
    for (kind, namespace, _), found in theirs.items():
        assert namespace == ("" if kind.startswith("Cluster") else "shop")
        found["metadata"].pop("namespace", None)
    assert [plain(found) for found in theirs.values()] == [plain(found) for found in ours.values()]


def test_the_clusters_api_is_used_as_the_component_in_cluster_does() -> None:
    (patch,) = yaml.safe_load((K8S / "in-cluster/kustomization.yaml").read_text())["patches"]
    pod = yaml.safe_load(patch["patch"])["spec"]["template"]["spec"]
    objects = rendered({**OPEN, "cluster": {"enabled": True, "namespaces": ["shop", "cart"]}})
    given = environment(objects)
    for variable in pod["containers"][0]["env"]:
        assert variable["name"] in given
        assert given[variable["name"]] == variable.get("value", variable.get("valueFrom")) or not variable["value"]
    assert given["SCALE_KUBE_NAMESPACES"] == "shop,cart"
    spec = of_kind(objects, "Deployment")["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is pod["automountServiceAccountToken"] is True


def test_a_right_is_granted_where_it_is_said_and_everywhere_for_a_star() -> None:
    objects = rendered(FULL)
    roles = {(kind, namespace) for kind, namespace, name in objects if name == "scale-targets"}
    assert roles == {(kind, namespace) for kind in ("Role", "RoleBinding") for namespace in ("shop", "cart")}
    assert {namespace for _, namespace, name in objects if name == "scale-envoy"} == {"edge"}
    assert {kind for kind, _, name in objects if name == "scale-pods"} == {"ClusterRole", "ClusterRoleBinding"}
    assert {kind for kind, _, name in objects if name == "scale-nodes"} == {"ClusterRole", "ClusterRoleBinding"}


def test_with_every_part_on_the_server_gets_settings_that_it_takes() -> None:
    objects = rendered(FULL)
    given = environment(objects)
    for name, key in SECRETS.items():
        assert given.pop(name) == {"secretKeyRef": {"name": "scale", "key": key}}
    texts = {
        name: value.replace("$(POD_NAMESPACE)", "scale") for name, value in given.items() if isinstance(value, str)
    }
    identity, settings = load_identity(texts), load_settings({"SCALE_HOST": "0.0.0.0", **texts})
    assert identity.objection("0.0.0.0") == ""
    assert {name: role.value for name, role in identity.roles.items()} == {
        "*": "viewer", "sre": "operator", "qa": "operator"
    }  # fmt: skip
    assert identity.oidc.issuer == "https://login.example/realms/main"
    assert texts["SCALE_HISTORY_MB"] == "1500000"
    assert (settings.limits.users, settings.public_url) == (2000, "https://scale.example.com")
    assert set(settings.allowed_hosts) == {
        *("scale", "scale.scale", "scale.scale.svc", "scale.scale.svc.cluster.local"),
        *("scale.example.com", "s.example", "scale.internal"),
    }
    assert "password" not in str(objects)


SHARED: dict[str, Any] = {
    **OPEN,
    "replicas": 3,
    "drainSeconds": 90,
    "database": {"url": "postgresql+asyncpg://scale@db/scale"},
    "redis": {"url": "redis://redis:6379/0"},
}


def test_replicas_with_a_redis_are_updated_one_after_the_other_and_their_runs_may_end() -> None:
    objects = rendered({**SHARED, "podDisruptionBudget": {"enabled": True}})
    deployment, given = of_kind(objects, "Deployment")["spec"], environment(objects)
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (3, "RollingUpdate")
    settings = load_settings({"SCALE_DRAIN_S": given["SCALE_DRAIN_S"], "SCALE_REDIS_URL": given["SCALE_REDIS_URL"]})
    assert (settings.drain_s, settings.redis_url) == (90, "redis://redis:6379/0")
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] > settings.drain_s
    assert of_kind(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "PersistentVolumeClaim" not in {kind for kind, _, _ in objects}
    (data, _) = deployment["template"]["spec"]["volumes"]
    assert data == {"name": "data", "emptyDir": {}}


def test_one_replica_without_a_redis_is_ended_at_once() -> None:
    assert "SCALE_DRAIN_S" not in environment(rendered(OPEN))


def test_with_every_part_on_each_leads_to_the_pod() -> None:
    objects = rendered(FULL)
    labels = of_kind(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    monitor, budget = of_kind(objects, "ServiceMonitor")["spec"], of_kind(objects, "PodDisruptionBudget")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= of_kind(objects, "Service")["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["authorization"]["credentials"] == {"name": "scale", "key": "token"}
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    (rule,) = of_kind(objects, "HTTPRoute")["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "scale", "port": 80}]
    assert of_kind(objects, "Ingress")["spec"]["tls"] == [{"hosts": ["scale.example.com"], "secretName": "scale-tls"}]
    assert "PersistentVolumeClaim" not in {kind for kind, _, _ in objects}


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ({}, "scale:0.1.0"),
        ({"tag": "latest"}, "scale:latest"),
        ({"tag": "latest", "digest": f"sha256:{'0f' * 32}"}, f"scale@sha256:{'0f' * 32}"),
    ],
)
def test_the_image_is_that_of_the_charts_version_or_what_is_said(image: dict[str, str], shown: str) -> None:
    (container,) = of_kind(rendered({**OPEN, "image": image}), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == shown


def test_two_releases_in_a_namespace_choose_their_own_pods() -> None:
    one, two = (of_kind(rendered(OPEN, release), "Service")["spec"]["selector"] for release in ("scale", "other"))
    assert one != two


def test_the_pod_has_the_same_security_context_whatever_is_on() -> None:
    (deployment,) = [each for (kind, _, _), each in manifests(*K8S.glob("*.yaml")).items() if kind == "Deployment"]
    ours = deployment["spec"]["template"]["spec"]
    for values in (OPEN, AS_K8S, FULL):
        theirs = of_kind(rendered(values), "Deployment")["spec"]["template"]["spec"]
        assert theirs["securityContext"] == ours["securityContext"]
        assert theirs["containers"][0]["securityContext"] == ours["containers"][0]["securityContext"]


@pytest.mark.parametrize("values", [OPEN, AS_K8S, FULL, SHARED], ids=["open", "as k8s", "full", "shared"])
def test_lint_finds_nothing_wrong(values: dict[str, Any]) -> None:
    done = helm("lint", str(CHART), "--strict", values=values)
    assert done.returncode == 0, done.stdout


SHOWING_NOTES = """kind: Notes
metadata: {name: notes}
text: {{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}
"""


def test_the_values_that_the_guide_shows_are_taken() -> None:
    guide = (PROJECT / "docs/kubernetes.md").read_text()
    (shown,) = re.findall(r"```yaml\n# values\.yaml\n(.*?)```", guide, re.DOTALL)
    objects = rendered(yaml.safe_load(shown))
    assert load_identity({name: str(text) for name, text in environment(objects).items()}).objection("0.0.0.0") == ""
    assert of_kind(objects, "Ingress")["spec"]["rules"][0]["host"] == "scale.example.com"


def notes(values: dict[str, Any], folder: Path) -> str:
    """What Helm prints after an installation; only that needs a cluster, so the text is put into an object here."""
    shutil.copytree(CHART, folder / "scale")
    (folder / "scale/templates/notes.yaml").write_text(SHOWING_NOTES)
    return str(of_kind(rendered(values, namespace="shop", chart=folder / "scale"), "Notes")["text"])


ALWAYS_SAID = "kubectl port-forward -n shop service/scale 8000:80"
BY_NOBODY = "whoever reaches it is admin"
NOT_KEPT = "The history of runs ends with the pod"
FIRST_TOKEN = "kubectl exec -n shop deploy/scale -- scale tokens make NAME --role admin"
DEMO_ONLY = "Load goes to the demo only"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (OPEN, {ALWAYS_SAID, BY_NOBODY, DEMO_ONLY}),
        ({**OPEN, "allowedTargets": ["cart.shop.svc"]}, {ALWAYS_SAID, BY_NOBODY}),
        ({"auth": {"mode": "required"}}, {ALWAYS_SAID, FIRST_TOKEN, DEMO_ONLY}),
        ({**OPEN, "persistence": {"enabled": False}}, {ALWAYS_SAID, BY_NOBODY, NOT_KEPT, DEMO_ONLY}),
        (FULL, {FIRST_TOKEN, "https://scale.example.com/"}),
    ],
    ids=["open", "with targets", "tokens", "no volume", "full"],
)
def test_helm_says_after_an_installation_what_is_to_be_known(
    tmp_path: Path, values: dict[str, Any], said: set[str]
) -> None:
    printed = notes(values, tmp_path)
    known = {ALWAYS_SAID, BY_NOBODY, NOT_KEPT, FIRST_TOKEN, DEMO_ONLY, "https://scale.example.com/"}
    assert {each for each in known if each in printed} == said


PROXY = {"proxy": {"networks": ["10.0.0.7"]}}
OIDC = {"oidc": {"issuer": "https://login.example", "clientId": "scale"}}
UNUSED = {"cluster": {"rights": {"pods": []}}}
DATABASE = {"database": {"url": "postgresql+asyncpg://db/scale"}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "auth says nothing about who may come in"),
        ({**OPEN, "replicas": 2}, "replicas = 2 cannot be used: several share their runs over Redis only"),
        ({**OPEN, "redis": {"url": "redis://redis"}}, "they have no database to share"),
        ({**SHARED, "database": {"url": "sqlite+aiosqlite:////data/scale.db"}}, "they have no database to share"),
        ({**SHARED, "redis": {"url": "redis://:word@redis"}}, "redis.url holds a password"),
        ({**SHARED, "redis": {"url": "redis:6379"}}, "pattern"),
        (
            {**SHARED, "existingSecret": "x", "secretSettings": {"SCALE_REDIS_URL": "redis"}},
            "both name a Redis",
        ),
        ({**OPEN, "settings": {"SCALE_DRAIN_S": "9"}}, "settings.SCALE_DRAIN_S cannot be used"),
        ({**OPEN, "replicas": 0}, "minimum"),
        ({**OPEN, "replica": 1}, "replica"),
        ({"auth": {"mode": "none", **PROXY}}, "auth.mode = none cannot be used with auth.proxy.networks"),
        ({"auth": PROXY}, "auth.roles is empty"),
        ({"auth": {**OIDC, "roles": {"viewer": ["*"]}}}, "auth.oidc.issuer needs auth.oidc.clientId, and publicUrl"),
        ({"auth": {"mode": "open"}}, "mode"),
        ({"auth": {"mode": "none", "roles": {"root": ["*"]}}}, "root"),
        ({**OPEN, "secretSettings": {"SCALE_DATABASE_URL": "url"}}, "existingSecret does not say"),
        ({**OPEN, "secretSettings": {"DATABASE_URL": "url"}, "existingSecret": "x"}, "DATABASE_URL"),
        ({**OPEN, "database": {"url": "postgresql+asyncpg://scale:word@db/scale"}}, "database.url holds a password"),
        ({**OPEN, "database": {"url": "mysql://db"}}, "pattern"),
        (
            {**OPEN, **DATABASE, "existingSecret": "x", "secretSettings": SECRETS},
            "both name a database",
        ),
        ({**OPEN, "settings": {"SCALE_AUTH": "none"}}, "settings.SCALE_AUTH cannot be used"),
        ({**OPEN, "settings": {"SCALE_PORT": "80"}}, "settings.SCALE_PORT cannot be used"),
        ({**OPEN, "settings": {"SCALE_MAX_USERS": 2000}}, "SCALE_MAX_USERS"),
        ({**OPEN, **UNUSED}, "set cluster.enabled=true"),
        ({**OPEN, "cluster": {"enabled": True, "rights": {"secrets": []}}}, "secrets"),
        ({"auth": {"mode": "required"}, "serviceMonitor": {"enabled": True}}, "answered with 401"),
        ({**OPEN, "httpRoute": {"enabled": True}}, "httpRoute.parentRefs"),
        ({**OPEN, "image": {"digest": "sha256:abc"}}, "digest"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_anything_is_installed(values: dict[str, Any], said: str) -> None:
    assert said in refusal(values)
