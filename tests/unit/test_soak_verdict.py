"""`make soak` tells a server that grows from one that is only noisy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.soak_verdict import at_rest, database_a_run, over_time
from tests.bench.soak_watch import Look

AT_START = Look(0.0, 200.0, 40, 20, 5, 1.0, 0)


def looks(count: int = 300, resident_a_look: float = 0.0, files_a_look: float = 0.0) -> list[Look]:
    """One in five seconds; a run of 40 KiB with each fifth."""
    return [
        replace(
            AT_START,
            at_s=5.0 * n,
            resident_mib=200 + 6 * (n % 5) + resident_a_look * n,
            files=40 + n % 7 + int(files_a_look * n),
            threads=20 + n % 3,
            processes=3 + n % 4,
            database_mib=1 + n // 5 * 40 / 1024,
            runs=n // 5,
        )
        for n in range(count)
    ]


def not_flat(seen: list[Look]) -> list[str]:
    return [figure.name for figure in [*over_time(seen), database_a_run(seen)] if not figure.flat]


def test_noise_is_flat() -> None:
    assert not_flat(looks()) == []


def test_a_megabyte_a_minute_is_not() -> None:
    assert not_flat(looks(resident_a_look=1 / 6)) == ["resident_mib"]


def test_a_file_that_each_run_leaves_open_is_not() -> None:
    assert not_flat(looks(files_a_look=1 / 5)) == ["files"]


def test_growth_while_it_warms_up_is_none() -> None:
    warming = [replace(look, resident_mib=100 + 2 * n) for n, look in enumerate(looks()[:50])]
    assert not_flat([*warming, *looks()[50:]]) == []


def test_runs_that_take_more_room_the_more_there_are_is_not() -> None:
    growing = [replace(look, database_mib=1 + (look.runs**2) / 1024) for look in looks()]
    assert not_flat(growing) == ["database_kib_a_run"]


def test_a_process_that_is_left_over_is_told() -> None:
    figures = at_rest(AT_START, replace(AT_START, processes=6, files=43))
    assert [figure.name for figure in figures if not figure.flat] == ["processes, at rest"]


def test_without_looks_there_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="no looks"):
        over_time([])
