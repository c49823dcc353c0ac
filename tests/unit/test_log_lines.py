"""One event of the log is one line, whatever is quoted in it."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Callable

import pytest
import socketio

from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.log_lines import (
    MINUTE_S,
    MOST_A_MINUTE,
    MOST_CHARACTERS,
    MOST_OF_THE_PAGE,
    WITH_HANDLERS,
    LogLines,
    PageEvents,
    escaped,
    write_log,
)
from tests.fakes import FakeClock

Written = Callable[..., str]


@pytest.fixture
def written() -> Written:
    """Log by this logger; what came out of it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LogLines())
    handler.addFilter(PageEvents())

    def write(name: str, message: str, *args: object, error: BaseException | None = None) -> str:
        logger = logging.Logger(name)
        logger.addHandler(handler)
        logger.error(message, *args, exc_info=error)
        return out.getvalue()

    return write


def raised(call: Callable[[], object]) -> Exception:
    with pytest.raises((ValueError, PlanError)) as caught:
        call()
    return caught.value


def bad() -> None:
    raise ValueError("one\ntwo\x1b[31m")


def own() -> None:
    LoadPlan(users=-1)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\nb\r\x00", "a\\nb\\r\\x00"),
        ("\x1b[2J\x9b31m\x7f", "\\x1b[2J\\x9b31m\\x7f"),
        ("a\u2028b\u202eevil\ud800", "a\\u2028b\\u202eevil\\ud800"),
        ("Größe 3 µs, 日本", "Größe 3 µs, 日本"),
    ],
)
def test_what_a_terminal_obeys_is_escaped_and_nothing_else(text: str, safe: str) -> None:
    assert escaped(text) == safe


def test_a_message_is_one_line_with_its_arguments(written: Written) -> None:
    assert written("scale_app.any", "Run %s failed: %s", "a\nERROR forged", "\x1b]0;x") == (
        "Run a\\nERROR forged failed: \\x1b]0;x\n"
    )


def test_a_long_message_is_cut(written: Written) -> None:
    assert len(written("scale_app.any", "x" * 100_000)) == MOST_CHARACTERS + 1


def test_an_error_of_ours_has_its_traceback_behind_bars(written: Written) -> None:
    first, *further = written("scale_app.any", "It failed", error=raised(bad)).splitlines()
    assert first == "It failed"
    assert all(line.startswith("  | ") for line in further)
    assert further[0].endswith("Traceback (most recent call last):")
    assert further[-1] == "  | two\\x1b[31m"


@pytest.mark.parametrize("logger", ["reflex.app", "reflex_base.event.processor", "engineio.server", "socketio"])
def test_what_the_pages_socket_leads_to_is_a_sentence(written: Written, logger: str) -> None:
    line = written(logger, "Error in Event(headers={'cookie': 'secret'})", error=raised(bad))
    assert line == "Page event: ValueError: one\\ntwo\\x1b[31m\n"


def test_where_in_our_code_an_event_failed_is_told(written: Written) -> None:
    line = written("reflex.app", "Error in an event", error=raised(own))
    assert line.startswith("Page event: PlanError: ")
    assert "(scale_app/domain/" in line
    assert line.count("\n") == 1


def test_a_traceback_within_the_message_is_told_as_its_error(written: Written) -> None:
    text = f"[Reflex Backend Exception]\n {''.join(traceback.format_exception(raised(own)))}\n"
    line = written("reflex.app", text)
    assert line.startswith("Page event: scale_app.domain.errors.PlanError: ")
    assert "(scale_app/domain/" in line
    assert "Traceback" not in line


def test_a_message_about_the_page_is_cut_short(written: Written) -> None:
    line = written("reflex.app", f"Event data: {'x' * 5_000}")
    assert len(line) <= len("Page event: ") + MOST_OF_THE_PAGE + 1


def test_many_bad_events_do_not_fill_the_log() -> None:
    clock, kept = FakeClock(), list[str]()
    events = PageEvents(clock.monotonic_s)
    logger = logging.Logger("reflex.app")

    def met(logger: logging.Logger) -> None:
        record = logger.makeRecord(logger.name, logging.ERROR, "", 0, "bad", (), None)
        if events.filter(record):
            kept.append(record.getMessage())

    for _ in range(5_000):
        met(logger)
    assert kept == ["Page event: bad"] * MOST_A_MINUTE
    met(logging.Logger("scale_app.any"))
    clock.advance(MINUTE_S)
    met(logger)
    met(logger)
    assert kept[MOST_A_MINUTE:] == ["bad", "Page event: bad (4,940 more before)", "Page event: bad"]


def test_the_whole_process_logs_in_such_lines() -> None:
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    try:
        root.handlers[:] = []
        write_log(logging.WARNING, out)
        logging.getLogger("anybody").warning("a\nb")
        logging.getLogger("anybody").info("not told")
        socketio.AsyncServer(async_mode="asgi")
        assert [logging.getLogger(name).handlers for name in WITH_HANDLERS] == [[], []]
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert out.getvalue() == "a\\nb\n"
