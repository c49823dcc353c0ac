"""One message for all tabs that look at the same."""

import asyncio
from collections import defaultdict

import pytest

from scale_app.ui.shown.audience import Audience, Seat

BY_NAME, BY_SHARE = Seat("run", "name", False), Seat("run", "share", True)
OTHER_RUN = Seat("other", "name", False)


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
def audience(socket):
    found = Audience()
    found.socket = socket
    return found


def figures(seat):
    return {State: {"order": seat.by}}


def test_tabs_that_look_at_the_same_get_one_message(audience, socket):
    async def watch():
        await audience.sit("a", BY_NAME, 1)
        await audience.sit("b", BY_NAME, 2)
        await audience.tell("run", 1, figures)
        await audience.tell("run", 1, figures)

    asyncio.run(watch())
    assert socket.got == [(BY_NAME.room, {"a", "b"})]
    assert socket.emitted[0][1] == {"page.state": {"order_rx_state_": "name"}}


def test_each_order_of_the_pods_has_a_message_of_its_own(audience, socket):
    async def watch():
        await audience.sit("a", BY_NAME, 1)
        await audience.sit("b", BY_SHARE, 2)
        await audience.tell("run", 1, figures)

    asyncio.run(watch())
    assert {room: delta["page.state"]["order_rx_state_"] for room, delta in socket.emitted} == {
        BY_NAME.room: "name",
        BY_SHARE.room: "share",
    }


def test_a_tab_that_sorts_its_table_gets_nothing_in_the_old_order(audience, socket):
    async def watch():
        await audience.sit("a", BY_NAME, 1)
        await audience.move("a", BY_SHARE)
        await audience.tell("run", 1, figures)

    asyncio.run(watch())
    assert socket.got == [(BY_SHARE.room, {"a"})]


def test_a_tab_that_nobody_watches_for_gets_no_seat(audience, socket):
    async def watch():
        await audience.move("a", BY_SHARE)
        await audience.tell("run", 1, figures)

    asyncio.run(watch())
    assert socket.emitted == []


def test_another_run_is_told_to_its_own_tabs_only(audience, socket):
    async def watch():
        await audience.sit("a", BY_NAME, 1)
        await audience.sit("b", OTHER_RUN, 2)
        await audience.tell("other", 1, figures)

    asyncio.run(watch())
    assert socket.got == [(OTHER_RUN.room, {"b"})]


def test_what_is_older_than_what_was_told_is_not_told(audience, socket):
    async def watch():
        await audience.sit("a", BY_NAME, 1)
        for seq in (5, 4, 5, 6):
            await audience.tell("run", seq, figures)

    asyncio.run(watch())
    assert len(socket.emitted) == 2


def test_a_tab_that_has_left_gets_no_more_and_leaves_nothing_behind(audience, socket):
    async def watch():
        await audience.sit("a", BY_NAME, 1)
        await audience.tell("run", 1, figures)
        await audience.leave("a", 1)
        await audience.tell("run", 2, figures)

    asyncio.run(watch())
    assert len(socket.emitted) == 1
    assert (audience._seats, audience._watchers) == ({}, {})


def test_the_end_of_an_earlier_watcher_does_not_unseat_a_tab(audience, socket):
    async def watch():
        await audience.sit("a", BY_NAME, "earlier")
        await audience.sit("a", OTHER_RUN, "later")
        await audience.leave("a", "earlier")
        await audience.tell("other", 1, figures)

    asyncio.run(watch())
    assert socket.got == [(OTHER_RUN.room, {"a"})]


def test_a_tab_that_is_gone_already_disturbs_nobody(audience, socket):
    socket.gone.add("a")

    async def watch():
        await audience.sit("a", BY_NAME, 1)
        await audience.tell("run", 1, figures)
        await audience.leave("a", 1)

    asyncio.run(watch())
    assert socket.emitted == []
