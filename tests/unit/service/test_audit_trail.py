"""Entries of the audit log reach the output at once and the store later, whatever the database does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from scale_app.domain.audit import AuditEntry
from scale_app.domain.errors import StoreUnavailable
from scale_app.service import audit_trail
from scale_app.service.audit_trail import AuditTrail
from tests.fakes import FakeClock
from tests.unit.service.harness import Naps, settled

ENTRY = AuditEntry(1_700_000_000.0, "ada@example.org", "operator", "starting a run", "r1", "10.0.0.9", True)
REFUSED = replace(ENTRY, allowed=False, subject="", reason="not allowed")


class Kept:
    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.broken = False
        self.slow = 0

    async def add_audit(self, entry: AuditEntry) -> None:
        if self.broken:
            raise StoreUnavailable("the database is away")
        for _ in range(self.slow):
            await asyncio.sleep(0)
        self.entries.append(entry)


class Bench:
    def __init__(self) -> None:
        self.store, self.naps, self.lines, self.clock = Kept(), Naps(), list[str](), FakeClock()
        self.trail = AuditTrail(self.store, self.lines.append, self.clock, self.naps)

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line)["audit"] for line in self.lines]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    keeping = asyncio.create_task(made.trail.keep())
    yield made
    keeping.cancel()


async def test_an_entry_is_a_line_at_once_and_a_row_behind(bench: Bench) -> None:
    bench.trail.note(ENTRY)
    assert bench.store.entries == []
    assert json.loads(bench.lines[0])["audit"] == {
        "at_epoch_s": 1_700_000_000.0, "who": "ada@example.org", "role": "operator", "action": "starting a run",
        "subject": "r1", "address": "10.0.0.9", "allowed": True, "reason": "",
    }  # fmt: skip
    await settled()
    assert bench.store.entries == [ENTRY]


async def test_no_control_character_of_a_name_reaches_the_output(bench: Bench) -> None:
    bench.trail.note(replace(ENTRY, who="eve\n{}\x1b[2J"))
    assert all(character.isprintable() for character in bench.lines[0])


async def test_a_command_s_own_output_stays_its_own(bench: Bench) -> None:
    bench.trail.note(replace(ENTRY, address="command line"))
    await settled()
    assert bench.lines == []
    assert len(bench.store.entries) == 1


async def test_while_the_database_is_away_entries_wait_in_order(bench: Bench) -> None:
    bench.store.broken = True
    for number in range(3):
        bench.trail.note(replace(ENTRY, subject=f"r{number}"))
    await settled()
    assert bench.store.entries == []
    assert bench.naps.asked_s == [60.0, 5.0]
    bench.store.broken = False
    await bench.naps.end()
    assert [entry.subject for entry in bench.store.entries] == ["r0", "r1", "r2"]


async def test_what_waits_is_bounded_and_the_rest_stands_in_the_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit_trail, "MOST_WAITING", 3)
    for number in range(5):
        bench.trail.note(replace(ENTRY, subject=f"r{number}"))
    await settled()
    assert [entry.subject for entry in bench.store.entries] == ["r0", "r1", "r2"]
    assert len(bench.lines) == 5
    assert caplog.text.count("is not stored") == 2


async def test_the_same_refusal_again_and_again_is_one_entry_a_minute_with_a_number(bench: Bench) -> None:
    for second in range(50):
        bench.trail.note(replace(REFUSED, at_epoch_s=1_700_000_000.0 + second))
    assert len(bench.lines) == 1
    bench.trail.note(replace(REFUSED, at_epoch_s=1_700_000_060.0))
    await settled()
    assert [entry.reason for entry in bench.store.entries] == [
        "not allowed",
        "not allowed (49 times more)",
        "not allowed",
    ]


async def test_refusals_of_others_and_what_is_allowed_are_not_counted_together(bench: Bench) -> None:
    for entry in (ENTRY, ENTRY, REFUSED, replace(REFUSED, who="bob"), replace(REFUSED, address="10.0.0.8")):
        bench.trail.note(entry)
    assert len(bench.lines) == 5


async def test_what_is_counted_is_bounded(bench: Bench) -> None:
    for number in range(audit_trail.MOST_COUNTED + 500):
        bench.trail.note(replace(REFUSED, who=f"person {number}"))
    assert len(bench.trail._refused) == audit_trail.MOST_COUNTED + 1
    assert len(bench.lines) == audit_trail.MOST_COUNTED + 1
    bench.trail.note(replace(REFUSED, at_epoch_s=1_700_000_060.0))
    assert json.loads(bench.lines[-2])["audit"]["reason"] == "of different kinds (499 times more)"


@pytest.mark.parametrize("allowed", [False, True])
async def test_whoever_is_refused_or_fails_in_ever_new_ways_does_not_fill_the_log(bench: Bench, allowed: bool) -> None:
    for number in range(5_000):
        bench.trail.note(replace(REFUSED, allowed=allowed, subject=f"r{number}"))
    bench.trail.note(replace(REFUSED, who="bob"))
    bench.trail.note(ENTRY)
    assert len(bench.lines) == audit_trail.MOST_DIFFERENT + 1 + 2
    bench.trail.note(replace(ENTRY, at_epoch_s=1_700_000_060.0))
    told = [json.loads(line)["audit"] for line in bench.lines[-2:]]
    assert told[0] | {"reason": ""} == asdict(replace(REFUSED, allowed=allowed, action="further actions", reason=""))
    assert told[0]["reason"] == f"of different kinds ({5_000 - audit_trail.MOST_DIFFERENT - 1:,} times more)"
    assert told[1]["subject"] == "r1"


async def test_how_often_it_came_again_is_told_after_a_minute_without_another_entry(bench: Bench) -> None:
    await settled()
    for _ in range(3):
        bench.trail.note_refused("asking", "nobody", "10.0.0.9")
    bench.clock.advance(60.0)
    await bench.naps.end()
    assert [entry["reason"] for entry in bench.told()] == ["nobody", "nobody (2 times more)"]
    bench.clock.advance(60.0)
    await bench.naps.end()
    assert len(bench.lines) == 2


async def test_a_stranger_s_kind_and_address_is_one_entry_whatever_else_differs(bench: Bench) -> None:
    for number in range(500):
        bench.trail.note_refused("writing from another page", "why", "10.0.0.9", f"http://{number}.example")
    bench.trail.note_refused("asking by another name", "why", "10.0.0.9", "evil.example")
    bench.trail.note_refused("asking by another name", "why", "10.0.0.8", "evil.example")
    assert [(entry["who"], entry["address"], entry["subject"], entry["allowed"]) for entry in bench.told()] == [
        ("", "10.0.0.9", "http://0.example", False),
        ("", "10.0.0.9", "evil.example", False),
        ("", "10.0.0.8", "evil.example", False),
    ]


async def test_strangers_from_everywhere_fill_no_log_and_hide_no_person(bench: Bench) -> None:
    for number in range(100_000):
        bench.trail.note_refused("asking", "nobody", f"2001:db8::{number:x}")
    bench.trail.note(REFUSED)
    assert len(bench.lines) == audit_trail.MOST_OF_STRANGERS + 2
    bench.clock.advance(60.0)
    await bench.trail.finish(1.0)
    further = bench.told()[-1]
    assert (further["address"], further["action"]) == ("", "further actions")
    assert further["reason"] == f"of different kinds ({100_000 - audit_trail.MOST_OF_STRANGERS - 1:,} times more)"


async def test_what_keeps_it_has_ended_before_its_store_is_closed() -> None:
    bench, ended = Bench(), list[float]()
    bench.store.broken = True

    async def nap(seconds: float) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            ended.append(seconds)

    trail = AuditTrail(bench.store, bench.lines.append, bench.clock, nap)
    async with trail.kept(5.0):
        trail.note(ENTRY)
        await settled()
    assert sorted(ended) == [5.0, 60.0]


async def test_a_long_text_is_cut(bench: Bench) -> None:
    bench.trail.note(replace(ENTRY, subject="x" * 60_000, reason="y" * 60_000))
    assert len(bench.lines[0]) < 1_500


async def test_the_end_of_the_process_stores_the_rest_with_its_numbers() -> None:
    bench = Bench()
    for _ in range(3):
        bench.trail.note(REFUSED)
    await bench.trail.finish(1.0)
    assert [entry.reason for entry in bench.store.entries] == ["not allowed", "not allowed (2 times more)"]


async def test_the_end_of_the_process_tells_what_could_not_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.store.broken = True
    bench.trail.note(ENTRY)
    await bench.trail.finish(1.0)
    assert "1 entries of the audit log were not stored" in caplog.text


async def test_what_is_being_stored_when_the_process_ends_is_stored_once(bench: Bench) -> None:
    bench.store.slow = 10
    entries = [replace(ENTRY, subject=f"r{number}") for number in range(5)]
    for entry in entries:
        bench.trail.note(entry)
    for _ in range(3):
        await asyncio.sleep(0)
    await bench.trail.finish(5.0)
    assert bench.store.entries == entries
