"""A live run of another server, read here as those of this server are. Edits and stops go to its owner and come back
with the owner's answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from scale_app.codec import from_wire, to_wire
from scale_app.domain.errors import GeneratorFailed, PlanError, RunNotActive, ScaleError
from scale_app.domain.events import Numbered, SnapshotTaken
from scale_app.domain.plan import Limits, PlanEdit
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Point, point_of
from scale_app.replica_ports import RunBus, lease_name
from scale_app.service.broadcast import newest_of
from scale_app.service.live_run import LiveRun

ANSWER_LIMIT_S = 15.0
REFUSALS: dict[str, type[ScaleError]] = {kind.__name__: kind for kind in (RunNotActive, GeneratorFailed)}


class RunElsewhere:
    """A run that another server owns, as it is known here. Its fields are those of LiveRun.

    edit, stop: as those of LiveRun; they raise OwnerAway and BusUnavailable as well.
    """

    def __init__(
        self, record: RunRecord, points: list[Point], pods: PodHistory, happenings: list[Numbered], bus: RunBus
    ) -> None:
        self.record = record
        self.points = points
        self.pods = pods
        self.happenings = happenings
        self.published_seq = newest_of(record, happenings)
        self.stored = asyncio.Event()
        self.over = asyncio.Event()
        self.stuck = False
        self._bus = bus

    def take(self, numbered: Numbered, at_epoch_s: float) -> None:
        """What happened next. at_epoch_s: about when that was."""
        event = numbered.event
        self.record = self.record.followed(event, at_epoch_s)
        self.published_seq = numbered.seq
        if not isinstance(event, SnapshotTaken):
            self.happenings.append(numbered)
        elif not self.points or event.elapsed_s > self.points[-1].elapsed_s:  # else it was read from the store
            self.points.append(point_of(event.snapshot))
            self.pods.take(event.snapshot)

    async def edit(self, edit: PlanEdit, _limits: Limits) -> RunRecord:
        return from_wire(RunRecord, await self._ask({"edit": to_wire(edit)}))

    async def stop(self) -> None:
        await self._ask({})

    async def _ask(self, command: dict[str, object]) -> object:
        name = lease_name(self.record.run_id)
        answer = json.loads(await self._bus.ask(name, json.dumps(command), ANSWER_LIMIT_S))
        if "plan_error" in answer:
            raise PlanError(*answer["plan_error"])
        if "error" in answer:
            raise REFUSALS.get(answer["error"], RunNotActive)(answer["sentence"])
        return answer["done"]


async def answer_to(live: LiveRun, command: str, limits: Limits) -> str:
    """What the owner of a run answers to a command of RunElsewhere, once it has carried it out."""
    edit = json.loads(command).get("edit")
    try:
        if edit is None:
            await live.stop()
            return json.dumps({"done": None})
        return json.dumps({"done": to_wire(await live.edit(from_wire(PlanEdit, edit), limits))})
    except PlanError as error:
        wrong: Any = [error.field, error.value, error.accepted]
        return json.dumps({"plan_error": wrong}, default=str)
    except ScaleError as error:
        return json.dumps({"error": type(error).__name__, "sentence": str(error)})
