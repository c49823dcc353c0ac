"""Plans of older versions held the values of some headers in clear: they are hidden everywhere, the rest is kept."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

from alembic import command

from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.adapters.store.database import open_engine
from scale_app.adapters.store.tables import migration_config
from scale_app.codec import to_wire
from scale_app.domain.events import PlanEdited
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import Began
from scale_app.domain.secret import HIDDEN
from scale_app.domain.snapshot import Source
from tests.fakes import FakeClock
from tests.recorded import lines_of

CLEAR = "hunter2-hunter2"
KEPT = {
    "Accept": "text/html",
    "X-Auth": "",
    "X-Auth-User": "Bearer ${env:SCALE_SECRET_SHOP}",
    "X-Session-Id": CLEAR[:7],
}
OLD = KEPT | {"x-auth": CLEAR, "X-Functions-Key": f"{CLEAR} ü", "DPoP": CLEAR}
NOW = KEPT | {"x-auth": HIDDEN, "X-Functions-Key": HIDDEN, "DPoP": HIDDEN}


def in_json(document: object, headers: dict[str, str]) -> str:
    """What is stored for a document with a plan in it, that has these headers."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    assert text.count('"headers":{}') == 1
    return text.replace('"headers":{}', '"headers":' + json.dumps(headers, separators=(",", ":"), ensure_ascii=False))


async def old_database_with(folder: Path, headers: dict[str, str]) -> str:
    """Tables of 0006 with one run, edited twice and recorded, and one saved plan; and damaged ones."""
    url = f"sqlite+aiosqlite:///{folder}/scale.db"
    engine = open_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(lambda made: command.upgrade(migration_config(made), "0006"))
    await engine.dispose()
    plan = LoadPlan("simulated")
    stored = in_json(to_wire(plan), headers)
    edited = in_json(to_wire(PlanEdited(1.0, plan)), headers)
    began = in_json({"kind": "began"} | to_wire(Began(plan, Source.SIMULATED, 0.0)), headers)
    columns = "id, plan_json, target_url, state, source, created_at_epoch_s, message"
    runs = f"INSERT INTO runs ({columns}) VALUES (?, ?, ?, ?, ?, 1, '')"
    events = "INSERT INTO run_events (run_id, seq, elapsed_s, kind, body_json, body) VALUES ('old', ?, 1, 'plan', ?, ?)"
    with closing(sqlite3.connect(folder / "scale.db", isolation_level=None)) as file:
        for run_id, kept in (("old", stored), ("bad", '{"headers":{"x'), ("odd", '{"headers":{"X-Auth":["a"]}}')):
            file.execute(runs, (run_id, kept, "simulated", "finished", "simulated"))
        file.execute(events, (1, edited, None))
        file.execute(events, (2, "", zlib.compress(edited.encode())))
        file.execute("INSERT INTO run_recordings VALUES ('old', 0, ?)", (zlib.compress(began.encode()),))
        file.execute("INSERT INTO saved_plans (name, plan_json, saved_at_epoch_s) VALUES ('shop', ?, 1)", (stored,))
    return url


def everything_in(folder: Path) -> bytes:
    """The bytes of the database's files."""
    return b"".join(file.read_bytes() for file in folder.glob("scale.db*"))


async def test_no_plan_holds_a_secret_in_clear_any_more(tmp_path: Path) -> None:
    url = await old_database_with(tmp_path, OLD)
    assert CLEAR.encode() in everything_in(tmp_path)
    await migrate(url)
    store = SqlRunStore(url, FakeClock())
    run = await store.run("old")
    assert (run.plan.headers, run.unreadable) == (NOW, "")
    edits = [each for each in await store.events("old") if isinstance(each, PlanEdited)]
    assert [each.plan.headers for each in edits] == [NOW, NOW]
    (began,) = await lines_of(store, "old")
    assert isinstance(began, Began)
    assert began.plan.headers == NOW
    assert [saved.plan.headers for saved in await store.plans()] == [NOW]
    assert {run.run_id for run in await store.runs(9, 0)} == {"old", "bad", "odd"}
    await store.close()
    assert CLEAR.encode() not in everything_in(tmp_path)


async def test_a_header_that_only_a_later_version_calls_secret_is_hidden_by_itself(tmp_path: Path) -> None:
    url = await old_database_with(tmp_path, KEPT | {"Ocp_Apim-Subscription-Key": CLEAR})
    await migrate(url)
    store = SqlRunStore(url, FakeClock())
    assert (await store.run("old")).plan.headers == KEPT | {"Ocp_Apim-Subscription-Key": HIDDEN}
    await store.close()
    assert CLEAR.encode() not in everything_in(tmp_path)


async def test_plans_without_such_headers_stay_as_they_are(tmp_path: Path) -> None:
    url = await old_database_with(tmp_path, KEPT)
    with closing(sqlite3.connect(tmp_path / "scale.db")) as file:
        before = file.execute("SELECT id, plan_json FROM runs WHERE id = 'old'").fetchall()
    await migrate(url)
    with closing(sqlite3.connect(tmp_path / "scale.db")) as file:
        assert file.execute("SELECT id, plan_json FROM runs WHERE id = 'old'").fetchall() == before
