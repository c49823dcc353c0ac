"""Each of the hub's methods asks for a right, changes are noted with who made them, and so is what was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from scale_app.domain.audit import AuditEntry
from scale_app.domain.demo import DemoChange, Policy
from scale_app.domain.errors import PlanError, RunNotFound, TargetRefused
from scale_app.domain.identity import CALLER, Caller, NotPermitted, NotSignedIn, Principal, Role, SignIn
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.service.hub import Hub
from scale_app.service.permits import OF_THE_DEMO, RIGHTS, may, permitted
from tests.fakes_hub import FakeDemo
from tests.unit.service.harness import Harness, settled

OF_THE_PROCESS = {"open", "drain", "close"}
PLAN = LoadPlan("http://shop.example/", users=1, spawn_rate=1)


class Notes:
    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def note(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


def caller(role: Role) -> Caller:
    return Caller(Principal(f"{role}@example.org", role, SignIn.TOKEN), "10.0.0.9")


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    made = Harness()
    yield made
    await made.close()


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def hub(harness: Harness, notes: Notes) -> Hub:
    return permitted(harness.hub, notes, harness.clock)


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    before = CALLER.set(None)
    yield
    CALLER.reset(before)


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


async def test_everything_that_the_hub_has_stands_in_the_table(harness: Harness) -> None:
    assert public(harness.hub) - OF_THE_PROCESS == set(RIGHTS)
    assert public(FakeDemo()) - {"now", "broken"} == set(OF_THE_DEMO)


async def test_what_stands_in_no_table_is_refused_to_an_admin(hub: Hub) -> None:
    CALLER.set(caller(Role.ADMIN))
    for name in (*OF_THE_PROCESS, "_adapters", "_store", "anything"):
        with pytest.raises(AttributeError, match="nobody may use it"):
            getattr(hub, name)


WITH_WHAT = {
    "start": (PLAN,), "edit": ("run", PlanEdit(users=2)), "mark_baseline": ("run", "main"), "save_plan": ("main", PLAN),
    "admitted": (PLAN,), "reachable": ("demo",), "delete_plan": ("main",),
}  # fmt: skip
ABOVE_VIEWER = sorted(name for name, right in RIGHTS.items() if right.needed in (Role.OPERATOR, Role.ADMIN))
CHANGES = {name for name, right in RIGHTS.items() if right.changes}


async def asked(hub: Hub, name: str) -> object:
    """Read a value or call a method; one that only looks asks who calls before it looks at what it is asked."""
    found = getattr(hub, name)
    given = WITH_WHAT.get(name, ("run",)) if name in {*ABOVE_VIEWER, *CHANGES} else ()
    answer = found(*given) if callable(found) else found
    return await answer if hasattr(answer, "__await__") else answer


@pytest.mark.parametrize("name", sorted(name for name, right in RIGHTS.items() if right.needed and name != "demo"))
async def test_nobody_may_do_nothing(hub: Hub, name: str) -> None:
    with pytest.raises(NotSignedIn):
        await asked(hub, name)


async def test_nobody_may_ask_whether_runs_can_be_stored(hub: Hub) -> None:
    await hub.check()


@pytest.mark.parametrize("name", ABOVE_VIEWER)
async def test_a_role_below_the_needed_one_is_refused_and_that_is_noted(hub: Hub, notes: Notes, name: str) -> None:
    needed = RIGHTS[name].needed
    assert needed is not None
    below = caller(list(Role)[list(Role).index(needed) - 1])
    CALLER.set(below)
    with pytest.raises(NotPermitted, match=f"needs the role {needed}"):
        await asked(hub, name)
    (entry,) = notes.entries
    assert (entry.who, entry.role, entry.address) == (below.principal.name, below.principal.role.value, "10.0.0.9")
    assert (entry.action, entry.allowed) == (RIGHTS[name].action, False)


async def test_a_viewer_looks_and_nothing_is_noted(hub: Hub, notes: Notes) -> None:
    CALLER.set(caller(Role.VIEWER))
    assert await hub.runs() == []
    assert hub.max_runs == 2
    assert hub.storing.problem == ""
    assert (await hub.demo.status()).policy is Policy.RANDOM
    with pytest.raises(RunNotFound):
        async with hub.follow("nowhere"):
            pass
    assert notes.entries == []


async def test_a_viewer_changes_nothing_of_the_demo_and_an_operator_does(hub: Hub, notes: Notes) -> None:
    CALLER.set(caller(Role.VIEWER))
    with pytest.raises(NotPermitted):
        await hub.demo.change(DemoChange(policy=Policy.WEIGHTED))
    CALLER.set(caller(Role.OPERATOR))
    assert (await hub.demo.change(DemoChange(policy=Policy.WEIGHTED))).policy is Policy.WEIGHTED
    assert [(entry.action, entry.subject, entry.allowed) for entry in notes.entries] == [
        ("changing the demo", "policy weighted", False),
        ("changing the demo", "policy weighted", True),
    ]


async def test_an_operator_starts_edits_and_stops_and_each_is_noted_with_the_run(
    hub: Hub, notes: Notes, harness: Harness
) -> None:
    CALLER.set(caller(Role.OPERATOR))
    run_id = await hub.start(PLAN)
    await settled()
    harness.load.ready()
    await settled()
    await hub.edit(run_id, PlanEdit(users=2))
    await hub.stop(run_id)
    done = [(entry.action, entry.subject, entry.allowed, entry.reason) for entry in notes.entries]
    assert done == [(f"{what} a run", run_id, True, "") for what in ("starting", "editing", "stopping")]
    assert {(entry.who, entry.at_epoch_s) for entry in notes.entries} == {
        ("operator@example.org", harness.clock.epoch_s())
    }


async def test_what_was_allowed_and_failed_is_noted_with_the_sentence_and_without_what_was_given(
    hub: Hub, notes: Notes
) -> None:
    CALLER.set(caller(Role.ADMIN))
    with pytest.raises(PlanError):
        await hub.save_plan("a name: hunter2 \n", PLAN)
    with pytest.raises(RunNotFound):
        await hub.delete("nowhere")
    assert [(entry.subject, entry.allowed) for entry in notes.entries][1] == ("nowhere", True)
    assert notes.entries[1].reason.startswith("No run has the id 'nowhere'.")
    assert notes.entries[0].reason.startswith("name cannot be used: 1 to 80 printable characters")


async def test_what_changes_nothing_is_not_noted_as_done_and_still_asks_for_the_role(hub: Hub, notes: Notes) -> None:
    CALLER.set(caller(Role.OPERATOR))
    await hub.demo.change(DemoChange())
    assert notes.entries == []
    CALLER.set(caller(Role.VIEWER))
    with pytest.raises(NotPermitted):
        await hub.demo.change(DemoChange())
    assert [entry.allowed for entry in notes.entries] == [False]


async def test_a_role_or_a_target_that_is_refused_later_is_refused_in_the_log_too(
    hub: Hub, notes: Notes, harness: Harness
) -> None:
    CALLER.set(caller(Role.VIEWER))
    with pytest.raises(NotPermitted):
        await hub.make_token("mine", Role.ADMIN)
    CALLER.set(caller(Role.OPERATOR))
    harness.gate.refusal = TargetRefused("Load to http://shop.example/ was refused before a packet was sent: no.")
    with pytest.raises(TargetRefused):
        await hub.start(PLAN)
    assert [(entry.action, entry.allowed) for entry in notes.entries] == [
        ("making a token", False),
        ("starting a run", False),
    ]


async def test_whether_the_caller_may_is_told_beforehand() -> None:
    assert may("start").startswith("This server answers only to those it knows")
    CALLER.set(caller(Role.VIEWER))
    assert may("start").startswith("viewer@example.org is viewer here, and starting a run needs the role operator.")
    CALLER.set(caller(Role.OPERATOR))
    assert may("start") == ""
    assert may("delete") != ""
