"""What can go wrong between Scale and a cluster's API server, each seen as the one sentence that people get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scale_app.adapters.kubernetes.border import Gone, NotThere
from scale_app.adapters.kubernetes.client import Cluster
from scale_app.adapters.kubernetes.feed import listed
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable
from tests.fake_api_server import FakeApiServer
from tests.kubernetes_objects import pod, shop

PODS = "/api/v1/namespaces/shop/pods"


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    made = FakeApiServer()
    await made.start()
    shop(made)
    yield made
    await made.stop()


async def trouble(cluster: Cluster, path: str = PODS) -> ClusterUnavailable:
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
    cluster = Cluster(server.kubeconfig(tmp_path))
    pods, version = await listed(cluster, PODS)
    await cluster.close()
    assert len(pods) == 1_003
    assert server.requests.count(("list", "pods")) == 3
    assert int(version) > 1_000


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "nothing")
    assert f"There is no kubeconfig at {path} (SCALE_KUBE_CONFIG)." in str(await trouble(Cluster(path)))


async def test_a_wrong_context_is_named(server: FakeApiServer, tmp_path: Path) -> None:
    said = str(await trouble(Cluster(server.kubeconfig(tmp_path), "staging")))
    assert "with the context 'staging'" in said
    assert "kubectl config view" in said


@pytest.mark.parametrize("content", ["", "hello", "[1, 2]", "a: {", '{"contexts": 7}', "\x00\x01"])
async def test_a_file_that_is_no_kubeconfig_is_a_sentence(content: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    assert f"The kubeconfig {path} (SCALE_KUBE_CONFIG" in str(await trouble(Cluster(str(path))))


async def test_the_pods_own_account_is_missed_outside_a_pod() -> None:
    assert "SCALE_KUBE_CONFIG=in-cluster" in str(await trouble(Cluster("in-cluster")))


async def test_an_expired_token_is_told_and_never_shown(server: FakeApiServer, tmp_path: Path) -> None:
    said = str(await trouble(Cluster(server.kubeconfig(tmp_path, token="old-secret"))))
    assert "(401)" in said
    assert "expired" in said
    assert "old-secret" not in said


async def test_a_token_that_was_renewed_in_the_file_is_taken_up(server: FakeApiServer, tmp_path: Path) -> None:
    cluster = Cluster(server.kubeconfig(tmp_path))
    await cluster.get(PODS)
    server.token = "new-token"
    server.kubeconfig(tmp_path)
    assert (await cluster.get(PODS))["items"]
    await cluster.close()


async def test_a_missing_right_is_named_as_a_rule(server: FakeApiServer, tmp_path: Path) -> None:
    server.denied.add("list endpointslices.discovery.k8s.io")
    path = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
    error = await trouble(Cluster(server.kubeconfig(tmp_path)), path)
    assert isinstance(error, ClusterForbidden)
    assert error.rule == "list endpointslices.discovery.k8s.io"
    assert "(403" in str(error)


async def test_a_kind_that_the_cluster_does_not_serve_is_told_apart(server: FakeApiServer, tmp_path: Path) -> None:
    path = "/apis/gateway.networking.k8s.io/v1/httproutes"
    assert isinstance(await trouble(Cluster(server.kubeconfig(tmp_path)), path), NotThere)


async def test_an_old_version_is_told_apart(server: FakeApiServer, tmp_path: Path) -> None:
    server.forget()
    cluster = Cluster(server.kubeconfig(tmp_path))
    with pytest.raises(Gone):
        await cluster.lines(PODS, {"watch": "true", "resourceVersion": "5"}, quiet_s=5).__aenter__()
    await cluster.close()


async def test_a_server_that_is_gone_is_told(server: FakeApiServer, tmp_path: Path) -> None:
    path = server.kubeconfig(tmp_path)
    await server.stop()
    assert f"The cluster {server.url} could not be asked" in str(await trouble(Cluster(path)))


async def test_a_server_that_is_silent_is_given_up(server: FakeApiServer, tmp_path: Path) -> None:
    server.silent = True
    assert "did not answer /api/v1/namespaces/shop/pods within 0.5 s" in str(
        await trouble(Cluster(server.kubeconfig(tmp_path)))
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
        said = str(await trouble(Cluster(FakeApiServer(port=port).kubeconfig(tmp_path))))
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
        assert "larger than 0 MiB" in str(await trouble(Cluster(config)))
        cluster = Cluster(config)
        async with cluster.lines(PODS, {}, quiet_s=5) as lines:
            with pytest.raises(ClusterUnavailable, match="a line of more than"):
                await anext(lines)
        await cluster.close()
