"""The life of the demo's process: started on first use, replaced when it died, gone with its owner."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from scale_app.adapters.demo_cluster import DemoCluster
from scale_app.adapters.this_machine import SystemClock
from scale_app.codec import from_json, to_json
from scale_app.domain.demo import DemoChange, DemoCommand, DemoReport, Policy
from scale_app.domain.errors import PlanError, TargetGone, TargetUnavailable
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted

OWNER = """
import asyncio
from scale_app.adapters.demo_cluster import DemoCluster
from scale_app.adapters.this_machine import SystemClock

async def main():
    demo = DemoCluster(SystemClock())
    print(await demo.url(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


def demos_of(owner_pid: int) -> set[int]:
    """Process ids of the demos that this owner started and that still run."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == owner_pid and state != "Z" and b"scale_app.demo" in command:
            found.add(int(stat.parent.name))
    return found


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
async def demo() -> AsyncIterator[DemoCluster]:
    cluster = DemoCluster(SystemClock())
    yield cluster
    await cluster.close()


async def test_nothing_is_started_before_the_first_use_and_nothing_is_left_after_close() -> None:
    before = demos_of(os.getpid())
    demo = DemoCluster(SystemClock())
    assert demos_of(os.getpid()) == before
    url = await demo.url()
    (pid,) = demos_of(os.getpid()) - before
    await demo.close()
    await demo.close()
    assert not runs(pid)
    port = int(url.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_many_first_users_share_one_process(demo: DemoCluster) -> None:
    before = demos_of(os.getpid())
    urls = await asyncio.gather(*(demo.url() for _ in range(10)))
    assert len(set(urls)) == 1
    assert len(demos_of(os.getpid()) - before) == 1


async def test_many_commands_at_once_each_get_their_own_answer(demo: DemoCluster) -> None:
    statuses = await asyncio.gather(*(demo.change(DemoChange(pods=pods)) for pods in range(1, 31)))
    assert [len(status.pods) for status in statuses] == list(range(1, 31))


async def test_a_refused_change_is_a_plan_error_with_field_and_value(demo: DemoCluster) -> None:
    with pytest.raises(PlanError, match="kill_pod = 'nobody' cannot be used: give the name") as refused:
        await demo.change(DemoChange(kill_pod="nobody"))
    assert (refused.value.field, refused.value.value) == ("kill_pod", "nobody")


async def test_a_process_that_died_is_replaced_on_the_next_use_with_the_defaults(demo: DemoCluster) -> None:
    before = demos_of(os.getpid())
    await demo.change(DemoChange(policy=Policy.WEIGHTED))
    (pid,) = demos_of(os.getpid()) - before
    os.kill(pid, signal.SIGKILL)
    status = await demo.status()
    assert status.policy is Policy.RANDOM
    (successor,) = demos_of(os.getpid()) - before
    assert successor != pid


async def test_pods_of_a_process_that_died_before_they_were_watched_are_not_taken_for_those_of_its_successor(
    demo: DemoCluster,
) -> None:
    before = demos_of(os.getpid())
    admitted = Admitted(await demo.url(), Source.DEMO, ())
    (pid,) = demos_of(os.getpid()) - before
    os.kill(pid, signal.SIGKILL)
    await demo.status()  # of its successor
    async with aclosing(demo.watch(admitted)) as samples:
        with pytest.raises(TargetGone, match="ended before"):
            await anext(samples)


@pytest.mark.parametrize("frozen", [False, True], ids=["serving", "frozen"])
def test_the_demo_is_gone_within_a_second_of_its_owners_sigkill(frozen: bool) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE)
    try:
        assert owner.stdout
        assert owner.stdout.readline().startswith(b"http://127.0.0.1:")
        (pid,) = demos_of(owner.pid)
        if frozen:  # it cannot notice that its input has ended: only the kernel can end it
            os.kill(pid, signal.SIGSTOP)
    finally:
        owner.kill()
        killed_s = time.monotonic()
        owner.communicate()
    while runs(pid) and time.monotonic() - killed_s < 5:
        time.sleep(0.01)
    took_s = time.monotonic() - killed_s
    if runs(pid):
        os.kill(pid, signal.SIGKILL)
    assert took_s < 1.0


def test_the_process_speaks_lines_and_ends_in_order_when_its_input_ends() -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "scale_app.demo", str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert demo.stdin
    assert demo.stdout
    first = from_json(DemoReport, demo.stdout.readline())
    demo.stdin.write(to_json(DemoCommand(7, DemoChange(pods=2))) + b"\n")
    demo.stdin.flush()
    answer = from_json(DemoReport, demo.stdout.readline())
    demo.stdin.close()
    assert demo.stdout.read() == b""
    demo.stdout.close()
    assert demo.wait(5) == 0
    assert (first.reply_to, len(first.status.pods)) == (None, 5)
    assert (answer.reply_to, answer.status.pods) == (7, first.status.pods[:2])


async def test_after_close_every_use_says_that_the_server_is_shutting_down(demo: DemoCluster) -> None:
    await demo.close()
    with pytest.raises(TargetUnavailable, match="shutting down"):
        await demo.status()


async def test_closing_while_commands_wait_leaves_none_waiting(demo: DemoCluster) -> None:
    await demo.url()
    asked = [asyncio.create_task(demo.status()) for _ in range(20)]
    await asyncio.sleep(0)
    await demo.close()
    outcomes = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5)
    assert all(isinstance(each, TargetUnavailable) or hasattr(each, "pods") for each in outcomes)


@pytest.fixture
def impostor(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module to start instead of the demo; its source is the test's parameter."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    (tmp_path / "impostor.py").write_text(request.param)
    return "impostor"


@pytest.mark.parametrize(
    ("impostor", "limit_s", "sentence"),
    [
        ("import sys; sys.exit('no port')", 10.0, r"process ended \(exit code 1: no port\)\. .* try again\.$"),
        (
            "import time; time.sleep(30)",
            0.5,
            r"\(impostor\) was started but did not say within 0\.5 s where it listens",
        ),
        ("print('hello', flush=True); import time; time.sleep(30)", 10.0, r"sent something that is not a report"),
    ],
    indirect=["impostor"],
    ids=["ends", "mute", "babbles"],
)
async def test_a_process_that_does_not_become_a_demo_is_ended_and_told_of(
    impostor: str, limit_s: float, sentence: str
) -> None:
    demo = DemoCluster(SystemClock(), module=impostor, start_limit_s=limit_s)
    with pytest.raises(TargetUnavailable, match=sentence):
        await demo.url()
    await demo.close()


async def test_giving_up_on_a_start_leaves_no_process() -> None:
    before = demos_of(os.getpid())
    demo = DemoCluster(SystemClock())
    starting = asyncio.create_task(demo.url())
    while not demos_of(os.getpid()) - before:
        await asyncio.sleep(0.005)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert demos_of(os.getpid()) == before
    await demo.close()
