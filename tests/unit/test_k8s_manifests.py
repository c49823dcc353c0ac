"""What the manifests promise, held where a change to them would be noticed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scale_app.api.guard import host_objection
from scale_app.domain.admission import doors_of
from scale_app.domain.cluster import Need, Rule
from scale_app.domain.source import NEEDS
from scale_app.identity_settings import load_identity
from scale_app.settings import load_settings

K8S = Path(__file__).parents[2] / "k8s"
DOCUMENTS = [doc for path in sorted(K8S.glob("*.yaml")) for doc in yaml.safe_load_all(path.read_text())]


def folder_of(need: Need) -> str:
    return need.source.replace("_", "-")


def one(kind: str) -> Any:
    (found,) = [document for document in DOCUMENTS if document["kind"] == kind]
    return found


def pod() -> Any:
    return one("Deployment")["spec"]["template"]["spec"]


def container() -> Any:
    (only,) = pod()["containers"]
    return only


def test_kustomize_and_plain_apply_cover_the_same_files() -> None:
    listed = yaml.safe_load((K8S / "Kustomization").read_text())["resources"]
    assert sorted(listed) == sorted(path.name for path in K8S.glob("*.yaml"))
    assert "Kustomization" not in [document["kind"] for document in DOCUMENTS]


def test_no_manifest_names_a_namespace() -> None:
    assert [doc["metadata"]["name"] for doc in DOCUMENTS if "namespace" in doc["metadata"]] == []


def test_there_is_exactly_one_pod_also_during_an_update() -> None:
    spec = one("Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_it_answers_by_the_names_of_its_service_and_its_ingress() -> None:
    allowed = load_settings({"SCALE_HOST": "0.0.0.0", **environment_in("any")}).allowed_hosts
    service, hosts = one("Service")["metadata"]["name"], [rule["host"] for rule in one("Ingress")["spec"]["rules"]]
    names = [service, f"{service}.any", f"{service}.any.svc", f"{service}.any.svc.cluster.local", *hosts]
    assert [name for name in names if host_objection("/", [name], allowed)] == []
    assert host_objection("/", ["evil.example"], allowed)
    doors = {host for host, _ in doors_of("", allowed, 8_000)}
    assert doors == set(names)


def environment_in(namespace: str) -> dict[str, str]:
    """What the kubelet makes of the container's environment, in order."""
    found: dict[str, str] = {}
    for each in container()["env"]:
        if "valueFrom" in each:
            assert each["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
        text = each.get("value", namespace)
        found[each["name"]] = re.sub(r"\$\(([A-Z_]+)\)", lambda name: found.get(name[1], name[0]), text)
    return found


def test_the_pod_meets_the_restricted_security_standard() -> None:
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["runAsUser"] > 0
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod())
    assert all(not {"hostPath"} & set(volume) for volume in pod()["volumes"])


def test_the_pod_has_the_same_user_as_the_image() -> None:
    user = pod()["securityContext"]["runAsUser"]
    assert f"USER {user}:{pod()['securityContext']['runAsGroup']}\n" in (K8S.parent / "Dockerfile").read_text()
    assert pod()["securityContext"]["fsGroup"] == user


def test_only_the_database_and_the_temporary_folder_can_be_written() -> None:
    assert [mount["mountPath"] for mount in container()["volumeMounts"]] == ["/data", "/tmp"]
    (claim,) = [volume for volume in pod()["volumes"] if "persistentVolumeClaim" in volume]
    assert claim["persistentVolumeClaim"]["claimName"] == one("PersistentVolumeClaim")["metadata"]["name"]


def test_it_has_an_identity_without_rights_and_without_a_token() -> None:
    account = one("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert pod()["serviceAccountName"] == account["metadata"]["name"]
    assert pod()["automountServiceAccountToken"] is False
    assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & {doc["kind"] for doc in DOCUMENTS}


def test_a_service_of_the_same_name_does_not_change_the_settings() -> None:
    # A Service named scale gives SCALE_PORT=tcp://... to every pod that does not opt out, and the server reads it.
    assert one("Service")["metadata"]["name"] == "scale"
    assert pod()["enableServiceLinks"] is False


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/healthz")],
)
def test_the_pod_is_probed(probe: str, path: str) -> None:
    assert container()[probe]["httpGet"] == {"path": path, "port": "probes"}
    (probed,) = [port["containerPort"] for port in container()["ports"] if port["name"] == "probes"]
    assert f"SCALE_PROBE_PORT={probed} " in (K8S.parent / "Dockerfile").read_text()


def test_memory_is_bounded_and_the_scheduler_knows_the_needs() -> None:
    resources = container()["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_the_service_and_the_ingress_lead_to_the_pod() -> None:
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert one("Service")["spec"]["selector"].items() <= labels.items()
    assert one("Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (port,) = one("Service")["spec"]["ports"]
    assert port["targetPort"] in [named["name"] for named in container()["ports"]]
    ingress = one("Ingress")
    assert ingress["metadata"]["name"] == "scale-ingress"
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["path"] == "/"
    assert path["backend"]["service"] == {"name": one("Service")["metadata"]["name"], "port": {"name": port["name"]}}


def test_the_ingress_does_not_cut_a_quiet_websocket() -> None:
    annotations = one("Ingress")["metadata"]["annotations"]
    for name in ("proxy-read-timeout", "proxy-send-timeout"):
        assert int(annotations[f"nginx.ingress.kubernetes.io/{name}"]) >= 3_600


# -- the optional workers of other machines

WORKERS = K8S / "workers"


def workers_document(name: str) -> Any:
    return yaml.safe_load((WORKERS / name).read_text())


def test_the_workers_component_names_every_file_of_its_folder() -> None:
    component = workers_document("Kustomization")
    assert component["kind"] == "Component"
    listed = component["resources"] + [patch["path"] for patch in component["patches"]]
    assert sorted(listed) == sorted(path.name for path in WORKERS.glob("*.yaml"))


def test_workers_have_the_server_s_limits_and_get_the_secret_as_a_file() -> None:
    spec = workers_document("deployment.yaml")["spec"]["template"]["spec"]
    (only,) = spec["containers"]
    assert only["securityContext"] == container()["securityContext"]
    assert spec["automountServiceAccountToken"] is False
    assert {entry["name"]: entry["value"] for entry in only["env"]} == {"SCALE_WORKER_SECRET_FILE": "/secret/secret"}
    assert "cpu" not in only["resources"]["limits"]
    assert only["args"][:3] == ["scale", "worker", "--master"]


def test_only_workers_reach_the_workers_port() -> None:
    (patched,) = workers_document("server-patch.yaml")["spec"]["template"]["spec"]["containers"]
    assert patched["name"] == container()["name"]
    service, policy = workers_document("service.yaml"), workers_document("networkpolicy.yaml")
    assert service["spec"]["ports"][0]["targetPort"] == patched["ports"][0]["name"] == "workers"
    assert f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}" in str(
        workers_document("deployment.yaml")
    )
    (guarded,) = [rule for rule in policy["spec"]["ingress"] if "from" in rule]
    labels = workers_document("deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    assert guarded["from"] == [{"podSelector": {"matchLabels": labels}}]
    assert guarded["ports"] == [{"port": "workers"}]


RIGHTS = K8S / "rights"
GRANTED = {
    need.source: list(yaml.safe_load_all((RIGHTS / folder_of(need) / "role.yaml").read_text())) for need in NEEDS
}


def rules_of(role: Any) -> set[Rule]:
    return {
        Rule(verb, resource, group)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_there_is_a_component_for_each_thing_that_needs_rights_and_no_other() -> None:
    assert {path.name for path in RIGHTS.iterdir()} == {*map(folder_of, NEEDS), "everywhere"}
    for need in NEEDS:
        component = yaml.safe_load((RIGHTS / folder_of(need) / "kustomization.yaml").read_text())
        assert (component["kind"], component["resources"]) == ("Component", ["role.yaml"])


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.source)
def test_a_component_grants_exactly_what_its_thing_needs(need: Need) -> None:
    role, binding = GRANTED[need.source]
    assert rules_of(role) == set(need.rules)
    assert role["kind"] == ("ClusterRole" if need.cluster_wide else "Role")
    assert binding["kind"] == f"{role['kind']}Binding"
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": role["kind"],
        "name": role["metadata"]["name"],
    }
    account = one("ServiceAccount")["metadata"]["name"]
    assert [(who["kind"], who["name"]) for who in binding["subjects"]] == [("ServiceAccount", account)]


def test_nothing_reads_secrets_and_only_what_enters_pods_does_more_than_read() -> None:
    rules = {need: rules_of(GRANTED[need.source][0]) for need in NEEDS}
    assert not [rule for each in rules.values() for rule in each if "secret" in rule.resource or "*" in str(rule)]
    writing = {
        need.source for need, each in rules.items() for rule in each if rule.verb not in ("get", "list", "watch")
    }
    assert writing == {need.source for need in NEEDS if need.enters}


def test_the_token_is_mounted_only_by_the_component_that_uses_it() -> None:
    component = yaml.safe_load((K8S / "in-cluster" / "kustomization.yaml").read_text())
    (patch,) = component["patches"]
    spec = yaml.safe_load(patch["patch"])["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is True
    given = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    assert given["SCALE_KUBE_CONFIG"] == "in-cluster"
    assert {name for name in given if name.startswith("SCALE_KUBE_")} == set(given)


def test_the_documentation_names_every_right() -> None:
    text = (K8S.parent / "docs" / "kubernetes.md").read_text()
    for need in NEEDS:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{need.source}` |")]
        assert all(f"`{rule}`" in row for rule in need.rules)


def test_the_history_leaves_room_on_its_volume() -> None:
    environment = {each["name"]: each.get("value") for each in container()["env"]}
    volume = one("PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"]
    assert volume.endswith("Gi")
    assert float(environment["SCALE_HISTORY_MB"]) <= 0.75 * int(volume.removesuffix("Gi")) * 1_073.7


def test_the_guide_s_pod_for_restoring_reaches_the_volume_as_the_server_does() -> None:
    guide = (K8S.parent / "docs/how-to/keep-the-history.md").read_text()
    found = re.search(r"--overrides='(.*?)'\n", guide, re.DOTALL)
    assert found
    spec = json.loads(found[1])["spec"]
    assert spec["enableServiceLinks"] is pod()["enableServiceLinks"] is False
    assert spec["securityContext"].items() <= pod()["securityContext"].items()
    assert [volume for volume in spec["volumes"] if volume not in pod()["volumes"]] == []
    assert spec["containers"][0]["volumeMounts"][0] in container()["volumeMounts"]


def test_only_named_namespaces_reach_the_page_and_only_workers_the_port_for_workers() -> None:
    policy = one("NetworkPolicy")["spec"]
    workers = yaml.safe_load((K8S / "workers" / "networkpolicy.yaml").read_text())["spec"]
    assert policy["podSelector"] == workers["podSelector"] == {"matchLabels": pod_labels()}
    assert policy["policyTypes"] == workers["policyTypes"] == ["Ingress"]
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"port": "http"}]]
    assert [rule["ports"] for rule in workers["ingress"]] == [[{"port": "workers"}]]
    assert all(rule["from"] for rule in (*policy["ingress"], *workers["ingress"]))


def pod_labels() -> Any:
    return one("Deployment")["spec"]["template"]["metadata"]["labels"]


def test_the_server_of_the_manifests_may_start_and_says_on_purpose_that_nobody_signs_in() -> None:
    given = {each["name"]: each.get("value", "") for each in container()["env"]}
    assert load_identity(given).objection("0.0.0.0") == ""
    assert given["SCALE_AUTH"] == "none"
    assert "networkpolicy.yaml" in (K8S / "Kustomization").read_text()
