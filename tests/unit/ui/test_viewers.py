"""One view and one message for all tabs that look at the same."""

import asyncio
import dataclasses
import json
from collections import defaultdict

import pytest

from scale_app.domain.pod_history import PodHistory
from scale_app.domain.snapshot import RunState
from scale_app.ui.shown.viewers import KEPT, Renewed, Viewers, _kept, newest_of, plain_view, view_of
from tests.unit.ui.samples import record, snapshot


class State:
    """Stands for a state class of the page."""

    @staticmethod
    def get_full_name():
        return "page.state"


class FakeSocket:
    """Rooms as the page's socket has them. emitted: (room, delta); got: rooms' members at that time."""

    def __init__(self):
        self.rooms = defaultdict(set)
        self.emitted = []
        self.got = []
        self.gone = set()

    async def enter_room(self, sid, room):
        if sid in self.gone:
            raise ValueError("sid is not connected to requested namespace")
        self.rooms[room].add(sid)

    async def leave_room(self, sid, room):
        self.rooms[room].discard(sid)

    async def emit(self, event, data, *, room):
        assert event == "event"
        self.emitted.append((room, data.delta))
        self.got.append((room, set(self.rooms[room])))


@pytest.fixture
def socket():
    return FakeSocket()


@pytest.fixture
def viewers(socket):
    found = Viewers()
    found.socket = socket
    return found


def figures():
    return {State: {"score": "0.9"}}


def test_tabs_that_look_at_the_same_get_one_message(viewers, socket):
    async def watch():
        await viewers.join("a", "run", 1)
        await viewers.join("b", "run", 2)
        await viewers.send("run", 1, figures)
        await viewers.send("run", 1, figures)

    asyncio.run(watch())
    assert socket.got == [("run", {"a", "b"})]
    assert socket.emitted[0][1] == {"page.state": {"score_rx_state_": "0.9"}}


def test_another_run_is_told_to_its_own_tabs_only(viewers, socket):
    async def watch():
        await viewers.join("a", "run", 1)
        await viewers.join("b", "other", 2)
        await viewers.send("other", 1, figures)

    asyncio.run(watch())
    assert socket.got == [("other", {"b"})]


def test_what_is_older_than_what_was_told_is_not_told(viewers, socket):
    async def watch():
        await viewers.join("a", "run", 1)
        for seq in (5, 4, 5, 6):
            await viewers.send("run", seq, figures)

    asyncio.run(watch())
    assert len(socket.emitted) == 2


def test_a_tab_that_has_left_gets_no_more_and_leaves_nothing_behind(viewers, socket):
    async def watch():
        await viewers.join("a", "run", 1)
        await viewers.send("run", 1, figures)
        await viewers.leave("a", 1)
        await viewers.send("run", 2, figures)

    asyncio.run(watch())
    assert len(socket.emitted) == 1
    assert (viewers._viewed, viewers._watchers) == ({}, {})


def test_the_end_of_an_earlier_watcher_does_not_unsubscribe_a_tab(viewers, socket):
    async def watch():
        await viewers.join("a", "run", "earlier")
        await viewers.join("a", "other", "later")
        await viewers.leave("a", "earlier")
        await viewers.send("other", 1, figures)

    asyncio.run(watch())
    assert socket.got == [("other", {"a"})]


def test_a_tab_that_is_gone_already_disturbs_nobody(viewers, socket):
    socket.gone.add("a")

    async def watch():
        await viewers.join("a", "run", 1)
        await viewers.send("run", 1, figures)
        await viewers.leave("a", 1)

    asyncio.run(watch())
    assert socket.emitted == []


PODS = PodHistory()


def view(shown):
    return view_of(shown, [], [], PODS)


def test_two_tabs_share_a_view():
    shown = record(snapshot())
    assert view(shown) is view(shown)


def test_another_second_is_another_view():
    assert view(record(snapshot(seq=1))) is not view(record(snapshot(seq=2)))


def test_a_message_that_changed_is_not_lost():
    first = view(record(snapshot()))
    assert view(record(snapshot(), message="It broke.")).message != first.message


def test_what_is_sent_is_the_whole_view_made_once():
    shown = view(record(snapshot()))
    whole = dataclasses.asdict(shown)
    assert plain_view(shown) == whole
    assert plain_view(shown) is plain_view(shown)
    json.dumps(plain_view(shown), allow_nan=False)


def told(seq, run_id="told"):
    return record(snapshot(seq=seq, run_id=run_id), RunState.RUNNING, run_id)


def test_the_newest_that_any_tab_was_told_is_known_though_a_slower_tab_asks_later():
    newest = view(told(5))
    view(told(4))
    assert newest_of("told").view is newest
    assert newest_of("told").record.last.seq == 5
    assert newest_of("nobody has looked at this one") is None


def test_the_newest_is_kept_of_so_many_runs_only():
    for number in range(2 * KEPT):
        view(told(1, f"many-{number}"))
    assert [newest_of(f"many-{number}") is None for number in (0, 2 * KEPT - 1)] == [True, False]


def test_all_of_a_state_is_asked_for_only_once_it_was_brought_up_to_date():
    class Shown:
        at_s = 0

        def dict(self, more):
            return {"at_s": self.at_s, "more": more}

    class Tab(Renewed, Shown):
        def _renew(self):
            self.at_s = 7

    assert Tab().dict(more=True) == {"at_s": 7, "more": True}


def test_memory_is_bounded():
    for seq in range(3 * KEPT):
        view(record(snapshot(seq=seq)))
    assert len(_kept) <= KEPT
