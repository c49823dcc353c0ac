"""What one tab sees of the list of runs, and what it does to them. Truth stays with the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.record import RunFilter, RunOutline, outline_of
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind
from scale_app.pictures.times import sparkline
from scale_app.ui.reflex_compat import Handler
from scale_app.ui.runs.actions import BaselineMarking, delete_run
from scale_app.ui.shown.viewers import paced
from scale_app.views.comparing import MOST_RUNS, compare_href
from scale_app.views.presenting import NO_ROW, RunListRow, part_text, plan_in_short, run_row

PAGE_SIZE = 25
GAP_S = 2.0
IDLE_S = 20.0
ANY = "any"


class RunList(BaselineMarking, rx.State):
    """One page of the list. Filter and page are a part of the address, so that a list can be sent to somebody.

    The browser writes them there before it tells the server (`in_address`).

    chosen: {run id: when it began} of the runs to compare, also of those on other pages. asked: the run that a
    dialog asks about. first: place of the page's first row in the list, from 0. visit: rises with each opening of the
    page, so that what a filter shows is what the address says and not what was left in it.
    """

    rows: rx.Field[list[RunListRow]] = rx.field(default_factory=list)
    chosen: rx.Field[dict[str, float]] = rx.field(default_factory=dict)
    target: str = ""
    verdict: str = ANY
    run_state: str = ANY
    first: int = 0
    visit: int = 0
    total: int = 0
    part: str = ""
    ready: bool = False
    problem: str = ""
    asked: RunListRow = NO_ROW

    @rx.var
    def number(self) -> int:
        """Of the page that is shown, from 1."""
        return self.first // PAGE_SIZE + 1

    @rx.var
    def filtered(self) -> bool:
        return bool(self.target) or (self.verdict, self.run_state) != (ANY, ANY)

    @rx.event
    async def load(self) -> AsyncIterator[Any]:
        """The page that the address asks for: first the rows, then their sparklines."""
        self.visit += 1
        asked = self.router.url.query_parameters
        for name in ("target", "verdict", "state"):
            self._take(name, asked.get(name, ""))
        self.first = max(0, int(page) - 1) * PAGE_SIZE if (page := asked.get("page", "")).isdecimal() else 0
        await self._show()
        yield
        await self._draw()

    @rx.event(background=True, supersedes=True)
    async def follow(self) -> None:
        """Keep the rows current while the page is open: runs that begin, go on and end."""
        async with wiring.hub().subscribe() as events:
            async for batch in paced(events, GAP_S, IDLE_S):
                changed = {run_id for run_id, _ in batch}
                async with self:
                    if not self.router.url.path.rstrip("/").endswith("/runs"):
                        return
                    changed |= {row.run_id for row in self.rows if row.waits}
                    if changed & {row.run_id for row in self.rows}:
                        await self._refresh(changed)
                    elif changed and self.first == 0:
                        await self._look_again()

    @rx.event
    async def narrow(self, name: str, text: str) -> AsyncIterator[Any]:
        """Filter the list. name: of the filter in the address."""
        self._take(name, text)
        async for news in self._search():
            yield news

    @rx.event
    async def turn_to(self, number: int) -> AsyncIterator[Any]:
        """Show this page of the list, from 1."""
        async for news in self._search((max(1, number) - 1) * PAGE_SIZE):
            yield news

    @rx.event
    def choose(self, run_id: str, wanted: bool) -> Any:
        """Take a run into the comparison, or out of it."""
        began = {row.run_id: row.created_at_epoch_s for row in self.rows}
        kept = {chosen: at for chosen, at in self.chosen.items() if chosen != run_id}
        if wanted and len(kept) >= MOST_RUNS:
            return rx.toast.warning(f"At most {MOST_RUNS} runs can be compared at once.")
        self.chosen = kept | {run_id: began[run_id]} if wanted and run_id in began else kept
        return None

    @rx.event
    def choose_none(self) -> None:
        self.chosen = {}

    @rx.event
    def compare(self) -> Any:
        """The reference comes first: a baseline if one is chosen, else the oldest run."""
        marked = {row.run_id for row in self.rows if row.baseline}
        ordered = sorted(self.chosen, key=lambda run_id: (run_id not in marked, self.chosen[run_id]))
        return rx.redirect(compare_href(*ordered))

    @rx.event
    def ask(self, run_id: str) -> None:
        """A dialog opens that asks about this run."""
        self.asked = next((row for row in self.rows if row.run_id == run_id), NO_ROW)
        self._ask_name(self.asked.baseline_hint)

    @rx.event
    async def delete(self, run_id: str) -> AsyncIterator[Any]:
        """Forget a run, as the dialog that named it was told to."""
        choose: Handler = RunList.choose
        yield await delete_run(run_id, choose(run_id, False))
        await self._show()
        yield
        await self._draw()

    def _take(self, name: str, text: str) -> None:
        match name:
            case "target":
                self.target = text.strip()
            case "verdict":
                self.verdict = _one_of(VerdictKind, text)
            case "state":
                self.run_state = _one_of(RunState, text)

    async def _look_again(self) -> None:
        await self._show()
        await self._draw()

    async def _search(self, first: int = 0) -> AsyncIterator[Any]:
        self.first = first
        await self._show()
        yield
        await self._draw()

    async def _show(self) -> None:
        wanted = RunFilter(
            state=None if self.run_state == ANY else RunState(self.run_state),
            verdict=None if self.verdict == ANY else VerdictKind(self.verdict),
            target=self.target,
        )
        hub, drawn = wiring.hub(), {row.run_id: row.spark for row in self.rows}
        try:
            self.total = await hub.count(wanted)
            self.first = min(self.first, max(0, self.total - 1) // PAGE_SIZE * PAGE_SIZE)
            runs = await hub.runs(PAGE_SIZE, self.first, wanted)
        except ScaleError as error:
            self.rows = _known(hub.in_memory(wanted), self.rows)
            self.part, self.problem, self.ready = "", str(error), True
            return
        self.rows = [replace(run_row(run), spark=drawn.get(run.run_id, "")) for run in runs]
        self.part = part_text(self.first, len(self.rows), self.total)
        self.ready, self.problem = True, ""

    async def _draw(self) -> None:
        """What the list itself does not say: plans that cannot be read, sparklines that are still missing."""
        self.rows = await _with_damage(self.rows)
        self.rows = [row if row.spark else replace(row, spark=await _spark(row.run_id)) for row in self.rows]

    async def _refresh(self, changed: set[str]) -> None:
        self.rows = [await _row(row) if row.run_id in changed else row for row in self.rows]


def _known(here: list[RunOutline], shown: list[RunListRow]) -> list[RunListRow]:
    """What can be shown while the store cannot be read: the runs in memory, and below them what was shown before."""
    ids = {run.run_id for run in here}
    return [*map(run_row, here), *(row for row in shown if row.run_id not in ids)][:PAGE_SIZE]


async def _with_damage(rows: list[RunListRow]) -> list[RunListRow]:
    """The rows with their whole plans in a line, and with what is wrong with those whose plan cannot be read."""
    hub = wiring.hub()
    try:
        readable = await hub.plans_of([row.run_id for row in rows])
        lost = [row.run_id for row in rows if row.run_id not in readable and not row.problem]
        problems = {run_id: (await hub.run(run_id)).unreadable for run_id in lost}
    except ScaleError:  # a run that was deleted meanwhile, or a database that went away: the next look tells
        return rows
    plans = {run_id: plan_in_short(plan) for run_id, plan in readable.items()}
    told = [replace(row, plan=plans.get(row.run_id, row.plan)) for row in rows]
    return [replace(row, problem=problems.get(row.run_id, row.problem)) for row in told]


async def _row(row: RunListRow) -> RunListRow:
    hub = wiring.hub()
    try:
        return run_row(outline_of(await hub.run(row.run_id)), await hub.history(row.run_id))
    except ScaleError:
        return row


async def _spark(run_id: str) -> str:
    try:
        return sparkline(await wiring.hub().history(run_id))
    except ScaleError:
        return ""


def _one_of(kind: type[VerdictKind] | type[RunState], text: str) -> str:
    return text if text in {member.value for member in kind} else ANY
