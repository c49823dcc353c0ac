"""A slow viewer gets the newest snapshot and every other event; nobody waits for it."""

from collections.abc import AsyncIterator

from scale_app.domain.events import SnapshotTaken, StateChanged
from scale_app.domain.snapshot import RunState
from scale_app.service.broadcast import MAX_WAITING, Broadcast, Item
from tests.examples import snapshot


async def test_of_several_waiting_snapshots_only_the_newest_is_delivered() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe(None, []) as viewer:
        for second in range(5):
            broadcast.publish("a", [SnapshotTaken(second, snapshot("a", elapsed_s=second))])
        viewer.close()
        assert [event.elapsed_s for _, event in await _all(viewer.items())] == [4]


async def test_snapshots_of_different_runs_do_not_replace_one_another() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe(None, []) as viewer:
        broadcast.publish("a", [SnapshotTaken(1, snapshot("a"))])
        broadcast.publish("b", [SnapshotTaken(1, snapshot("b"))])
        viewer.close()
        assert [run_id for run_id, _ in await _all(viewer.items())] == ["a", "b"]


async def test_other_events_are_never_dropped() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe("a", []) as viewer:
        for second in range(100):
            broadcast.publish("a", [StateChanged(second, RunState.RUNNING)])
        viewer.close()
        assert len(await _all(viewer.items())) == 100


async def test_a_viewer_of_one_run_sees_no_other() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe("a", []) as viewer:
        broadcast.publish("b", [StateChanged(1, RunState.RUNNING)])
        broadcast.end("b")
        broadcast.publish("a", [StateChanged(2, RunState.FINISHED)])
        broadcast.end("a")
        assert [run_id for run_id, _ in await _all(viewer.items())] == ["a"]


async def test_a_viewer_that_never_reads_is_let_go_and_costs_bounded_memory() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe(None, []) as viewer:
        broadcast.publish("a", [StateChanged(i, RunState.RUNNING) for i in range(MAX_WAITING + 50)])
        assert len(await _all(viewer.items())) == MAX_WAITING


async def _all(items: AsyncIterator[Item]) -> list[Item]:
    return [item async for item in items]
