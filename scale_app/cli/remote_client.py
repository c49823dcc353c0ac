"""A running server, asked over `/api/v1`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2

from scale_app.api.v1.access import AuditPage, TokenList
from scale_app.api.v1.shapes import EventPage, History, RunPage, RunSummary
from scale_app.cli.commands import ServerRefused
from scale_app.cli.server_token import TOKEN_FROM, bearer_header
from scale_app.codec import from_json, to_wire
from scale_app.domain.audit import AccessToken, AuditEntry, MadeToken
from scale_app.domain.cluster import PermissionList, TargetList
from scale_app.domain.compare import Comparison
from scale_app.domain.errors import BaselineNotFound, PlanError, RunNotFound, ScaleError, TokenNotFound
from scale_app.domain.events import Event
from scale_app.domain.identity import Role
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodSpans
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import WholeRun
from scale_app.reports import run_from_json
from scale_app.reports.formats import FormatName

T = TypeVar("T")
EVERY_S = 0.5
PATIENCE_S = 30.0
TRIES = 20
"""Of looking at a run that goes on: a server that is away for a moment does not end the command."""
NOT_SIGNED_IN = 401


class ServerAway(ScaleError):
    """The server did not answer, or what answered is not Scale."""


class RemoteClient:
    """The runs of a server. url: as people open the page."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise PlanError("server", "(hidden)", "leave user name and password out of the URL")
        if not url.startswith(("http://", "https://")):
            raise PlanError("server", url, "a URL that begins with http:// or https://")
        headers = bearer_header()
        try:
            self._client = httpx2.AsyncClient(base_url=f"{self._url}/api/v1/", headers=headers, timeout=PATIENCE_S)
        except (httpx2.InvalidURL, ValueError) as error:
            raise PlanError("server", url, f"it is not a URL ({error})") from None

    async def aclose(self) -> None:
        await self._client.aclose()

    async def start(self, plan: LoadPlan) -> str:
        return from_json(RunRecord, await self._ask("POST", "runs", json=to_wire(plan))).run_id

    async def run(self, run_id: str) -> RunRecord:
        return await self._get(RunRecord, f"runs/{_part(run_id)}")

    async def runs(self, limit: int) -> list[RunSummary]:
        return list((await self._get(RunPage, "runs", limit=limit)).runs)

    async def ids(self, begins: str, limit: int) -> list[str]:
        return [run.run_id for run in (await self._get(RunPage, "runs", limit=limit, id_begins=begins)).runs]

    async def watch(self, run_id: str) -> AsyncIterator[tuple[RunRecord, Sequence[Event]]]:
        away, after = 0, -1
        while True:
            try:
                record, page = await self.run(run_id), await self._events_after(run_id, after)
            except ServerAway:
                away += 1
                if away == TRIES:
                    raise
            else:
                away, after = 0, max(after, page.newest)
                yield record, [numbered.event for numbered in page.events]
                if not record.state.active and not page.events and await self._settled(record):
                    yield await self.run(run_id), ()
                    return
            await asyncio.sleep(EVERY_S)

    async def _settled(self, record: RunRecord) -> bool:
        """True once everything of an ended run is stored: its last second is the last thing that is."""
        if record.last is None:
            return True
        history = await self._get(History, f"runs/{_part(record.run_id)}/history")
        return bool(history.points) and history.points[-1].elapsed_s >= record.last.elapsed_s

    async def stop(self, run_id: str) -> None:
        await self._ask("POST", f"runs/{_part(run_id)}/stop", json={})

    async def whole(self, run_id: str, recording: bool = False, pods: bool = False) -> WholeRun:
        if recording:
            return run_from_json(await self._ask("GET", f"runs/{_part(run_id)}/export", params={"format": "json"}))
        history = await self._get(History, f"runs/{_part(run_id)}/history")
        events = tuple(await self._events(run_id))
        spans = await self._get(PodSpans, f"runs/{_part(run_id)}/pod-history") if pods else PodSpans()
        record = await self.run(run_id)  # last, since it tells what of the others cannot be read
        baseline = await self._baseline(record)
        return WholeRun(record, history.points, events, baseline=baseline, pods=spans)

    async def file(self, run_id: str, name: FormatName) -> AsyncGenerator[bytes, None]:
        try:
            async with self._client.stream("GET", f"runs/{_part(run_id)}/export", params={"format": name}) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise self._error(answer)
                async for piece in answer.aiter_bytes():
                    yield piece
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise self._away(error) from None

    async def compare(self, first_id: str, second_id: str) -> Comparison:
        return await self._get(Comparison, "compare", ids=f"{first_id},{second_id}")

    async def mark_baseline(self, run_id: str, name: str) -> None:
        await self._ask("PUT", f"runs/{_part(run_id)}/baseline", json={"name": name})

    async def targets(self) -> TargetList:
        return await self._get(TargetList, "targets")

    async def permissions(self) -> PermissionList:
        return await self._get(PermissionList, "sources")

    async def tokens(self) -> list[AccessToken]:
        return list((await self._get(TokenList, "tokens")).tokens)

    async def make_token(self, name: str, role: Role, days: float) -> MadeToken:
        wanted = {"name": name, "role": role.value, "days": days}
        return from_json(MadeToken, await self._ask("POST", "tokens", json=wanted))

    async def revoke_token(self, token_id: str) -> None:
        await self._ask("DELETE", f"tokens/{_part(token_id)}")

    async def audit_entries(self, limit: int, offset: int) -> list[AuditEntry]:
        return list((await self._get(AuditPage, "audit", limit=limit, offset=offset)).entries)

    async def _events(self, run_id: str) -> list[Event]:
        events: list[Event] = []
        after = -1
        while True:
            page = await self._events_after(run_id, after)
            events.extend(numbered.event for numbered in page.events)
            if not page.events:
                return events
            after = page.newest

    async def _events_after(self, run_id: str, after: int) -> EventPage:
        return await self._get(EventPage, f"runs/{_part(run_id)}/events", after=after)

    async def _baseline(self, record: RunRecord) -> RunRecord | None:
        name = record.plan.gate.baseline
        try:
            return await self._get(RunRecord, f"baselines/{_part(name)}") if name else None
        except BaselineNotFound:
            return None

    async def _get(self, kind: type[T], path: str, **query: Any) -> T:
        body = await self._ask("GET", path, params=query)
        try:
            return from_json(kind, body)
        except ValueError:
            raise ServerAway(
                f"{self._url} answered {path} in a form that this version of Scale does not know: "
                "use the command line of the server's version."
            ) from None

    async def _ask(self, method: str, path: str, **more: Any) -> bytes:
        try:
            answer = await self._client.request(method, path, **more)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise self._away(error) from None
        if answer.is_success:
            return answer.content
        raise self._error(answer)

    def _away(self, error: Exception) -> ServerAway:
        return ServerAway(
            f"{self._url} does not answer ({str(error) or type(error).__name__}): "
            "is the server running, and is this the URL of its page?"
        )

    def _error(self, answer: httpx2.Response) -> ScaleError:
        """The server's sentence as the error that it was there, as far as exit codes tell errors apart."""
        try:
            problem = answer.json()
            kind, sentence = str(problem["type"]).rpartition("#")[2], str(problem["detail"])
        except (ValueError, KeyError, TypeError):
            why = "is the URL right?"
            if answer.has_redirect_location or answer.status_code in (401, 403):
                why = "is there a sign-in in front of it that lets no token pass? Then give a URL behind that."
            return ServerAway(f"{self._url} answered with status {answer.status_code} but not like Scale: {why}")
        refused = _REFUSALS.get(kind, ServerRefused if answer.status_code in (401, 403, 404, 409, 422) else ServerAway)
        sentence += f" {TOKEN_FROM}" if answer.status_code == NOT_SIGNED_IN else ""
        error = refused.__new__(refused)  # what this kind would say by itself was said by the server
        Exception.__init__(error, sentence)
        return error


_REFUSALS: dict[str, type[ScaleError]] = {
    "baseline-not-found": BaselineNotFound,
    "run-not-found": RunNotFound,
    "token-not-found": TokenNotFound,
}


def _part(text: str) -> str:
    """One part of a path."""
    return quote(text, safe="")
