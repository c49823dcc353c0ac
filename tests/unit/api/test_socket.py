"""The live feed over a fake hub: the specification's messages key for key, and what closes a feed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from scale_app.api.legacy_routes import live_text
from scale_app.api.routes import api_app
from scale_app.api.socket import TEXTS_KEPT, Texts
from scale_app.domain.alert import Alert
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.events import AlertCleared, AlertRaised, AlertUpdated, PodChanged, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from tests.fakes import a_snapshot
from tests.fakes_hub import FakeHub

ALERT = AlertRaised(9.0, Alert("verdict", 0.82, 0.95, "pod-0 gets twice its share.", 9.0))


@pytest.fixture
def client(hub: FakeHub) -> Iterator[TestClient]:
    with TestClient(api_app(hub)) as client:
        yield client


def run(hub: FakeHub, run_id: str, state: RunState = RunState.RUNNING, requests: tuple[int, ...] = (60, 40)) -> None:
    hub.add(RunRecord(run_id, LoadPlan(), Source.DEMO, state, 1.0, last=a_snapshot(run_id, requests=requests)))


def publish(client: TestClient, hub: FakeHub, run_id: str, event: Any) -> None:
    assert client.portal is not None
    client.portal.call(hub.publish, run_id, event)


def test_a_late_joiner_gets_the_newest_snapshot_at_once_key_for_key(client: TestClient, hub: FakeHub) -> None:
    run(hub, "run-1")
    with client.websocket_connect("/ws/metrics") as socket:
        message = socket.receive_json()
    assert set(message) == {"type", "data", "test_id", "source"}
    assert (message["type"], message["test_id"], message["source"]) == ("metrics_update", "run-1", "demo")
    assert set(message["data"]) == {"metrics", "balance_score", "timestamp"}
    assert set(message["data"]["metrics"]) == {"pods", "total_requests"}
    assert message["data"]["metrics"]["total_requests"] == 100
    assert (message["data"]["balance_score"], message["data"]["timestamp"]) == (0.97, 1_700_000_001.5)
    pod = message["data"]["metrics"]["pods"][0]
    assert (pod["name"], pod["requests"], pod["share"]) == ("pod-0", 60, 0.6)


def test_each_new_snapshot_and_alert_is_sent_and_nothing_else(client: TestClient, hub: FakeHub) -> None:
    run(hub, "run-1")
    with client.websocket_connect("/ws/metrics") as socket:
        socket.receive_json()
        publish(client, hub, "run-1", PodChanged(8.0, "pod-0", "left"))
        publish(client, hub, "run-1", ALERT)
        publish(client, hub, "run-1", SnapshotTaken(9.0, a_snapshot(requests=(0,), score=None)))
        alert, update = socket.receive_json(), socket.receive_json()
    assert alert == {
        "type": "imbalance_alert",
        "test_id": "run-1",
        "source": "demo",
        "data": {"balance_score": 0.82, "threshold": 0.95},
    }
    assert (update["type"], update["data"]["balance_score"]) == ("metrics_update", None)


def test_the_alert_message_is_about_the_balance_alone_and_sent_when_raised_alone(
    client: TestClient, hub: FakeHub
) -> None:
    run(hub, "run-1")
    slow = replace(ALERT.alert, rule="p95", threshold=500.0)
    with client.websocket_connect("/ws/metrics") as socket:
        socket.receive_json()
        publish(client, hub, "run-1", AlertRaised(8.0, slow))
        publish(client, hub, "run-1", AlertUpdated(8.0, ALERT.alert))
        publish(client, hub, "run-1", AlertCleared(8.0, ALERT.alert))
        publish(client, hub, "run-1", AlertRaised(9.0, replace(ALERT.alert, rule="score")))
        publish(client, hub, "run-1", SnapshotTaken(9.0, a_snapshot()))
        assert [socket.receive_json()["type"] for _ in range(2)] == ["imbalance_alert", "metrics_update"]


def test_simulated_counts_say_so_in_every_message(client: TestClient, hub: FakeHub) -> None:
    shot = a_snapshot(source=Source.SIMULATED)
    hub.add(RunRecord("run-1", LoadPlan("simulated"), Source.SIMULATED, RunState.RUNNING, 1.0, last=shot))
    with client.websocket_connect("/ws/metrics") as socket:
        publish(client, hub, "run-1", ALERT)
        assert [socket.receive_json()["source"] for _ in range(2)] == ["simulated", "simulated"]


def test_one_test_can_be_followed_alone(client: TestClient, hub: FakeHub) -> None:
    run(hub, "run-1")
    run(hub, "run-2")
    with client.websocket_connect("/ws/metrics?test_id=run-1") as socket:
        socket.receive_json()
        publish(client, hub, "run-2", SnapshotTaken(2.0, a_snapshot("run-2")))
        publish(client, hub, "run-1", SnapshotTaken(3.0, a_snapshot("run-1", seq=3)))
        assert socket.receive_json()["test_id"] == "run-1"
        publish(client, hub, "run-1", StateChanged(4.0, RunState.FINISHED))
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert (closed.value.code, closed.value.reason) == (1000, "The test has ended.")


def test_an_ended_test_gives_its_last_snapshot_and_closes(client: TestClient, hub: FakeHub) -> None:
    run(hub, "run-1", RunState.FINISHED)
    with client.websocket_connect("/ws/metrics?test_id=run-1") as socket:
        assert socket.receive_json()["type"] == "metrics_update"
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == 1000


@pytest.mark.parametrize("test_id", ["no-such", "", "ü" * 100])
def test_an_unknown_test_closes_with_a_code_and_a_sentence(client: TestClient, test_id: str) -> None:
    with (
        client.websocket_connect(f"/ws/metrics?test_id={test_id}") as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_json()
    assert closed.value.code == 4404
    assert "No run has the id" in closed.value.reason
    assert len(closed.value.reason.encode()) <= 123


def test_a_store_that_is_gone_closes_with_try_later(client: TestClient, hub: FakeHub) -> None:
    hub.broken = StoreUnavailable("The database is gone.")
    with client.websocket_connect("/ws/metrics?test_id=x") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert (closed.value.code, closed.value.reason) == (1013, "The database is gone.")


def test_a_client_that_leaves_is_forgotten_and_what_it_says_is_ignored(client: TestClient, hub: FakeHub) -> None:
    run(hub, "run-1")
    with client.websocket_connect("/ws/metrics") as socket:
        socket.send_text("{ hello")
        socket.send_bytes(b"\x00")
        assert socket.receive_json()["type"] == "metrics_update"
        assert hub.subscribers == 1
    assert hub.subscribers == 0


def test_an_event_is_encoded_once_for_all_listeners() -> None:
    hub, texts, event = FakeHub(), Texts(), SnapshotTaken(1.0, a_snapshot())
    run(hub, "run-1")
    write = partial(live_text, hub, "run-1", event, None)
    assert texts.text(event, write) is texts.text(event, write)


def test_texts_of_ended_runs_are_not_kept_for_ever() -> None:
    texts = Texts()
    for n in range(100):
        texts.text(SnapshotTaken(1.0, a_snapshot(f"run-{n}")), lambda: "a text")
    assert len(texts._kept) <= TEXTS_KEPT
