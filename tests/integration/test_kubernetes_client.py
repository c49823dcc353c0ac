"""What can go wrong between Scale and a cluster's API server, each seen as the one sentence that people get."""

from __future__ import annotations

import asyncio
import json
import shlex
import ssl
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kubernetes.aio.config import incluster_config

from scale_app.adapters.kubernetes.border import Gone, NotThere
from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.list_watch import listed
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable
from tests.fake_api_server import FakeApiServer
from tests.kubernetes_objects import pod, shop

PODS = "/api/v1/namespaces/shop/pods"


async def trouble(cluster: ClusterClient, path: str = PODS) -> ClusterUnavailable:
    try:
        with pytest.raises(ClusterUnavailable) as caught:
            await cluster.get(path, limit_s=0.5)
    finally:
        await cluster.close()
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    return caught.value


async def test_a_list_comes_whole_however_many_pages_it_has(server: FakeApiServer, tmp_path: Path) -> None:
    for number in range(1_000):
        server.put("pods", pod(f"many-{number}"))
    cluster = ClusterClient(server.kubeconfig(tmp_path))
    pods, version = await listed(cluster, PODS)
    await cluster.close()
    assert len(pods) == 1_003
    assert server.requests.count(("list", "pods")) == 3
    assert int(version) > 1_000


async def test_a_kubeconfig_that_is_not_there_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = str(tmp_path / "nothing")
    assert f"There is no kubeconfig at {path} (SCALE_KUBE_CONFIG)." in str(await trouble(ClusterClient(path)))
    assert caplog.messages == []


async def test_a_wrong_context_is_named(server: FakeApiServer, tmp_path: Path) -> None:
    said = str(await trouble(ClusterClient(server.kubeconfig(tmp_path), "staging")))
    assert "with the context 'staging'" in said
    assert "kubectl config view" in said


@pytest.mark.parametrize("content", ["", "hello", "[1, 2]", "a: {", '{"contexts": 7}', "\x00\x01"])
async def test_a_file_that_is_no_kubeconfig_is_a_sentence(content: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    assert f"The kubeconfig {path} (SCALE_KUBE_CONFIG" in str(await trouble(ClusterClient(str(path))))


async def test_the_pods_own_account_is_missed_outside_a_pod() -> None:
    assert "SCALE_KUBE_CONFIG=in-cluster" in str(await trouble(ClusterClient("in-cluster")))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this address that vouches for itself; its key is beside it."""
    folder = tmp_path_factory.mktemp("authority")
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kubernetes"
    names = f" -addext subjectAltName=IP:127.0.0.1 -keyout {folder / 'key'} -out {folder / 'ca.crt'}"
    subprocess.run(["openssl", *shlex.split(asked + names)], check=True, capture_output=True)
    return folder / "ca.crt"


@pytest.fixture
async def pod_account(
    authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[FakeApiServer, Path]]:
    """A server that speaks TLS, and what Kubernetes gives a pod to reach it: an address, and a folder of files."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority, authority.with_name("key"))
    server = FakeApiServer(tls=tls)
    await server.start()
    shop(server)
    (tmp_path / "token").write_text(server.token)
    (tmp_path / "namespace").write_text("shop\n")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    yield server, tmp_path
    await server.stop()


def trusting(path: str, url: str, authority: Path) -> str:
    """The kubeconfig, with the authority in it."""
    cluster = {"server": url, "certificate-authority-data": b64encode(authority.read_bytes()).decode()}
    document = json.loads(Path(path).read_text())
    Path(path).write_text(json.dumps({**document, "clusters": [{"name": "c", "cluster": cluster}]}))
    return path


async def test_the_pods_own_account_is_used_and_its_turning_token_taken_up(
    pod_account: tuple[FakeApiServer, Path],
) -> None:
    server, folder = pod_account
    cluster = ClusterClient("in-cluster")
    assert (await cluster.namespace(), cluster.inside) == ("shop", True)
    assert (await cluster.get(PODS))["items"]
    server.token = "turned"
    (folder / "token").write_text("turned")
    assert (await cluster.get(PODS))["items"]
    await cluster.close()


async def test_a_certificate_of_nobody_known_is_a_sentence_and_no_key_is_left_behind(
    pod_account: tuple[FakeApiServer, Path], authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, folder = pod_account
    written = folder / "written"
    written.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(written))
    path = server.kubeconfig(folder)
    assert "certificate verify failed" in str(await trouble(ClusterClient(path)))
    cluster = ClusterClient(trusting(path, server.url, authority))
    assert (await cluster.get(PODS))["items"]
    await cluster.close()
    assert list(written.iterdir()) == []


async def test_an_expired_token_is_told_and_never_shown(server: FakeApiServer, tmp_path: Path) -> None:
    said = str(await trouble(ClusterClient(server.kubeconfig(tmp_path, token="old-secret"))))
    assert "(401)" in said
    assert "expired" in said
    assert "old-secret" not in said


async def test_a_token_that_was_renewed_in_the_file_is_taken_up(server: FakeApiServer, tmp_path: Path) -> None:
    cluster = ClusterClient(server.kubeconfig(tmp_path))
    await cluster.get(PODS)
    server.token = "new-token"
    server.kubeconfig(tmp_path)
    assert (await cluster.get(PODS))["items"]
    await cluster.close()


async def test_a_missing_right_is_named_as_a_rule(server: FakeApiServer, tmp_path: Path) -> None:
    server.denied.add("list endpointslices.discovery.k8s.io")
    path = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
    error = await trouble(ClusterClient(server.kubeconfig(tmp_path)), path)
    assert isinstance(error, ClusterForbidden)
    assert error.rule == "list endpointslices.discovery.k8s.io"
    assert "(403" in str(error)


async def test_a_kind_that_the_cluster_does_not_serve_is_told_apart(server: FakeApiServer, tmp_path: Path) -> None:
    path = "/apis/gateway.networking.k8s.io/v1/httproutes"
    assert isinstance(await trouble(ClusterClient(server.kubeconfig(tmp_path)), path), NotThere)


async def test_an_old_version_is_told_apart(server: FakeApiServer, tmp_path: Path) -> None:
    server.forget()
    cluster = ClusterClient(server.kubeconfig(tmp_path))
    with pytest.raises(Gone):
        await cluster.lines(PODS, {"watch": "true", "resourceVersion": "5"}, quiet_s=5).__aenter__()
    await cluster.close()


async def test_a_server_that_is_gone_is_told(server: FakeApiServer, tmp_path: Path) -> None:
    path = server.kubeconfig(tmp_path)
    await server.stop()
    assert f"The cluster {server.url} could not be asked" in str(await trouble(ClusterClient(path)))


async def test_a_server_that_is_silent_is_given_up(server: FakeApiServer, tmp_path: Path) -> None:
    server.silent = True
    assert "did not answer /api/v1/namespaces/shop/pods within 0.5 s" in str(
        await trouble(ClusterClient(server.kubeconfig(tmp_path)))
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b'HTTP/1.1 500 Oops\r\nContent-Length: 22\r\n\r\n{"message": "\\u001b[31m"}'[:-1] + b"}",
        b"",
    ],
)
async def test_whatever_is_no_api_server_is_a_sentence(answer: bytes, tmp_path: Path) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as stranger:
        port = stranger.sockets[0].getsockname()[1]
        said = str(await trouble(ClusterClient(FakeApiServer(port=port).kubeconfig(tmp_path))))
    assert said.isprintable()
    assert f"The cluster http://127.0.0.1:{port}" in said


async def test_an_answer_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scale_app.adapters.kubernetes.client.MOST_BYTES", 100_000)
    monkeypatch.setattr("scale_app.adapters.kubernetes.client.LINE_BYTES", 100_000)

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n")
        for _ in range(200):
            writer.write(b"x" * 10_000)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as stranger:
        config = FakeApiServer(port=stranger.sockets[0].getsockname()[1]).kubeconfig(tmp_path)
        assert "larger than 0 MiB" in str(await trouble(ClusterClient(config)))
        cluster = ClusterClient(config)
        async with cluster.lines(PODS, {}, quiet_s=5) as lines:
            with pytest.raises(ClusterUnavailable, match="a line of more than"):
                await anext(lines)
        await cluster.close()
