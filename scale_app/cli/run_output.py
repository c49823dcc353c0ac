"""A run in the terminal: the views that the page shows, as lines and tables. Progress on stderr, results on stdout.

Reports are written beside what is printed: `--report FORMAT=FILE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from scale_app.cli.commands import CannotStart, told_while_read
from scale_app.cli.terminal import output, plain, table
from scale_app.codec import to_wire
from scale_app.domain.errors import PlanError
from scale_app.domain.events import Event, StateChanged
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import WholeRun
from scale_app.log_lines import harmless
from scale_app.reports import FORMATS, export
from scale_app.views.pod_table import pod_table
from scale_app.views.presenting import run_view
from scale_app.views.sentences import happenings
from scale_app.views.view import RunView
from scale_app.views.words import CHECK_NAMES

KIND_STYLES = {"EVEN": "bold green", "UNEVEN": "bold yellow", "UNDECIDED": "bold", "NO_DATA": "bold red"}
OUTCOME_STYLES = {"passed": "green", "warned": "yellow", "failed": "red"}
LINE_EVERY_S = 5.0
MOST_PODS = 20
BAR_CELLS = 12
NARROW = 100
STDOUT = Path("-")


def run_document(whole: WholeRun, code: int) -> dict[str, object]:
    """What `--json` says of a run: the record as REST gives it, what happened, its thresholds, the exit code."""
    happened = [to_wire(event) for event in whole.happened]
    return {"exit_code": code, "run": to_wire(whole.record), "events": happened, "gate": to_wire(whole.gate)}


Show = Callable[[RunRecord, Sequence[Event]], None]


@contextmanager
def progress(quiet: bool) -> Iterator[Show]:
    """Shows a run as it is now, each time, and what happened: a live picture in a terminal, lines in a log."""
    console = Console(stderr=True, highlight=False)
    if quiet:
        yield lambda record, events: None
    elif not console.is_terminal:
        yield _Lines().show
    else:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            news = News()

            def show(record: RunRecord, events: Sequence[Event]) -> None:
                for line in news.lines(record, events):
                    live.console.print(plain(line))
                live.update(_picture(record, console.width))

            yield show


def _picture(record: RunRecord, width: int) -> RenderableType:
    view = run_view(record, ())
    done = ProgressBar(total=100, completed=view.progress.percent, width=40)
    head = Text.assemble((view.state_text, "bold"), f"  {view.progress.elapsed} of {view.progress.total}")
    return Group(head, done, *_verdict(view), _pods(record, width))


class _Lines:
    def __init__(self) -> None:
        self._next_s = 0.0
        self._news = News()

    def show(self, record: RunRecord, events: Sequence[Event]) -> None:
        for line in self._news.lines(record, events):
            click.echo(harmless(line), err=True)
        last = record.last
        if last is not None and last.elapsed_s >= self._next_s:
            self._next_s = last.elapsed_s + LINE_EVERY_S
            click.echo(line_of(run_view(record, ())), err=True)


class News:
    """What happens in a run, as the page tells it; the states of a run are told with how it ended."""

    def __init__(self) -> None:
        self._problem = ""

    def lines(self, record: RunRecord, events: Sequence[Event]) -> list[str]:
        """What is new, the oldest first, and what is not visible of the pods."""
        told = happenings([event for event in events if not isinstance(event, StateChanged)])
        before, self._problem = self._problem, record.last.pods_problem if record.last else self._problem
        at_once = {line.text for line in told} | {before, ""}
        return [f"{line.at}  {line.text}" for line in reversed(told)] + [*({self._problem} - at_once)]


def line_of(view: RunView) -> str:
    figures = view.figures
    return (
        f"{view.progress.elapsed} of {view.progress.total}  {figures.requests} requests, {figures.rate} per second, "
        f"score {figures.score}, {figures.kind_text.lower()}"
    )


def print_run(whole: WholeRun) -> None:
    """How a run ended, on stdout."""
    view = run_view(whole.record, whole.points)
    console = output()
    pods = _pods(whole.record, console.width)
    for part in (*_verdict(view), _figures(view), _checks(whole), pods, *_causes(view), _foot(view)):
        console.print(part)


def _verdict(view: RunView) -> list[RenderableType]:
    figures = view.figures
    grade = f" (grade {figures.grade})" if figures.grade else ""
    head = Text.assemble((figures.kind_text, KIND_STYLES.get(figures.kind, "bold")), f"  score {figures.score}{grade}")
    invented = [plain(f"Simulated. {view.source_note}", "bold magenta")] if view.source == "simulated" else []
    said = [plain(text) for text in dict.fromkeys((figures.sentence, view.message)) if text]
    return [*invented, head, *said]


def _figures(view: RunView) -> RenderableType:
    figures = view.figures
    rows = table()
    for name, value, note in (
        ("Requests", figures.requests, figures.requests_note),
        ("Spread (CV)", figures.cv, figures.cv_note),
        ("Latency p95", figures.p95, figures.p95_note),
        ("Failures", figures.failures, figures.failures_note),
    ):
        rows.add_row(name, plain(value, "bold"), plain(note, "dim"))
    return rows


def _checks(whole: WholeRun) -> RenderableType:
    rows = table()
    for check in whole.gate.checks:
        rows.add_row(
            plain(check.outcome, OUTCOME_STYLES[check.outcome]), CHECK_NAMES[check.name], plain(check.sentence)
        )
    return rows if rows.row_count else plain("The plan has no thresholds.", "dim")


def _pods(record: RunRecord, width: int) -> RenderableType:
    """Of many pods those that stand out first.

    width: of the terminal; in a narrow one the bars leave their place to the names, which stay in one piece.
    """
    pods = pod_table(record.last).rows
    if len(pods) > MOST_PODS:
        pods.sort(key=lambda pod: not pod.outlier)
    if not pods:
        return plain("No answer named a pod.", "dim")
    heads = ["Pod", "Requests", "", "Share", "vs. fair", "State"]
    rows = table(*[head for head in heads if head or width >= NARROW])
    for column in rows.columns:
        column.overflow = "fold"
        column.justify = "right" if column.header in ("Requests", "Share", "vs. fair") else "left"
        column.no_wrap = column.header != "State"
    for pod in pods[:MOST_PODS]:
        style = "yellow" if pod.outlier else ""
        bar = plain("█" * round(float(pod.bar.rstrip("%")) / 100 * BAR_CELLS), style or "blue")
        bars = [bar] if width >= NARROW else []
        told = plain(pod.against, style), plain(pod.state, style)
        rows.add_row(plain(pod.name), pod.requests, *bars, pod.share, *told)
    if len(pods) > MOST_PODS:
        rows.add_row(f"… and {len(pods) - MOST_PODS} more")
    return rows


def _causes(view: RunView) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for finding in view.findings:
        lines.append(plain(f"{finding.title} ({finding.certainty_text.lower()}): {finding.evidence}", "bold"))
        lines.append(plain(f"What to do: {finding.remedy}"))
    return lines


def _foot(view: RunView) -> RenderableType:
    head = f"{view.state_text} after {view.progress.elapsed}. {view.source_text}. Run {view.run_id}"
    return plain("\n".join(part for part in (view.counting, head) if part), "dim")


report_option = click.option(
    "--report", "reports", multiple=True, metavar="FORMAT=FILE",
    help=f'Write a report as well; may be repeated. FILE "-" prints it in place of the result. '
         f"Formats: {', '.join(FORMATS)}.",
)  # fmt: skip


def wanted_reports(reports: tuple[str, ...], as_json: bool) -> list[tuple[str, Path]]:
    """(format, file) of each --report. as_json: stdout has a document. Raises PlanError before anything is started."""
    wanted: list[tuple[str, Path]] = []
    for text in reports:
        name, equals, file = text.partition("=")
        if not equals or name not in FORMATS or not file:
            raise PlanError("--report", text, f"FORMAT=FILE with a format of {', '.join(FORMATS)}")
        if file == "-" and (as_json or prints_report(wanted)):
            raise PlanError("--report", text, "only one document can be printed: write this one into a file")
        check_place(Path(file), "--report", text)
        wanted.append((name, Path(file)))
    return wanted


def prints_report(wanted: list[tuple[str, Path]]) -> bool:
    """Is a report printed, in place of the result?"""
    return any(path == STDOUT for _, path in wanted)


def check_place(path: Path, option: str, text: str) -> None:
    """Raises PlanError for a file that cannot be there."""
    if path.is_dir():
        raise PlanError(option, text, f"{path} is a folder, and a file is needed")
    if not path.parent.is_dir():
        raise PlanError(option, text, f"{path} cannot be written: its folder does not exist")


def needs(wanted: list[tuple[str, Path]]) -> dict[str, bool]:
    """What to ask `whole` for, that these can be written."""
    forms = [FORMATS[name] for name, _ in wanted]
    return {"recording": any(form.needs_recording for form in forms), "pods": any(form.needs_pods for form in forms)}


def write_reports(whole: WholeRun, wanted: list[tuple[str, Path]]) -> None:
    """Raises CannotStart when a file cannot be written."""
    for name, path in wanted:
        content = export(whole, FORMATS[name].name).content
        if path == STDOUT:
            with told_while_read():
                click.echo(content, nl=False)
            continue
        with writing(path):
            path.write_bytes(content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises CannotStart in place of the system's own error."""
    try:
        yield
    except OSError as error:
        raise CannotStart(f"{path} cannot be written ({error.strerror or error}): choose another file.") from None
