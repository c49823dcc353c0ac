"""Every command on a real run against the demo, by itself in this process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from junitparser import JUnitXml

from scale_app import wiring
from scale_app.cli.commands import scale
from tests.serving import GUARD, PROJECT, free_port

PLAN = """
users: 20
spawn_rate: 40
duration_s: 3
think_time_s: 0.02
gate:
  verdict: {fail: [uneven], warn: [undecided]}
  failure_share: {fail: 0.01}
  p95_ms: {warn: 1, fail: 60000}
"""
CONFIG = json.dumps(
    {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "any"}}],
    }
)
CODES = {"EVEN": 0, "UNEVEN": 1, "UNDECIDED": 2, "NO_DATA": 3}


@dataclass(frozen=True)
class Terminal:
    """A folder with a database of its own, in which commands are typed."""

    folder: Path

    def types(self, *arguments: str) -> Result:
        for made in vars(wiring).values():
            if hasattr(made, "cache_clear"):  # a hub once closed stays closed
                made.cache_clear()
        result = CliRunner().invoke(scale, list(arguments), prog_name="scale")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def json(self, *arguments: str) -> Any:
        result = self.types(*arguments, "--json")
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SCALE_")]:
            patch.delenv(name)
        patch.setenv("SCALE_DATABASE_URL", f"sqlite+aiosqlite:///{folder}/scale.db")
        patch.setenv("SCALE_PORT", str(free_port()))
        patch.setenv("SCALE_ALLOWED_TARGETS", "127.0.0.1")
        patch.setenv("PYTHONPATH", str(PROJECT))
        patch.chdir(folder)
        (folder / "plan.yaml").write_text(PLAN)
        yield Terminal(folder)


@pytest.fixture(scope="module")
def done(terminal: Terminal) -> dict[str, Any]:
    """What `scale run plan.yaml` said of a run, and its exit code beside."""
    reports = [f"--report={form}={terminal.folder}/run.{form}" for form in ("json", "html", "junit", "markdown")]
    result = terminal.types("run", "plan.yaml", "--duration", "4", *reports, "--mark-baseline", "main", "--json")
    assert "requests, " in result.stderr
    return {**json.loads(result.stdout), "code": result.exit_code}


def test_run_says_the_verdict_in_words_and_in_its_exit_code(done: dict[str, Any]) -> None:
    last = done["run"]["last"]
    assert (done["run"]["state"], done["run"]["plan"]["duration_s"]) == ("finished", 4.0)
    assert last["requests"] > 100
    assert done["code"] == done["exit_code"] == CODES[last["verdict"]["kind"]]
    assert [check["name"] for check in done["gate"]["checks"]] == ["verdict", "p95_ms", "failure_share"]


def test_an_alert_is_told_when_it_is_raised_and_is_in_the_json(terminal: Terminal) -> None:
    result = terminal.types("run", "plan.yaml", "--duration", "5", "--set", "max_pod_share=0.01", "--json")
    (raised,) = [event for event in json.loads(result.stdout)["events"] if event["kind"] == "alert_raised"]
    assert "above the limit of 1 %." in raised["alert"]["message"]
    assert "in the last seconds, above the limit of" in result.stderr


def test_its_reports_tell_the_same(terminal: Terminal, done: dict[str, Any]) -> None:
    last = done["run"]["last"]
    assert last["verdict"]["sentence"].split(":")[0] in (terminal.folder / "run.markdown").read_text()
    assert f'data-testid="figure-requests">{last["requests"]:,}<' in (terminal.folder / "run.html").read_text()
    suite = next(iter(JUnitXml.fromstring((terminal.folder / "run.junit").read_bytes())))
    assert {case.name for case in suite} == {"run", "verdict", "p95_ms", "failure_share"}
    assert json.loads((terminal.folder / "run.json").read_text())["run"]["record"]["last"] == last


def test_replay_of_the_file_and_of_the_stored_run_give_the_figures_of_then(
    terminal: Terminal, done: dict[str, Any]
) -> None:
    for name in (f"{terminal.folder}/run.json", done["run"]["run_id"]):
        again = terminal.json("replay", name)
        assert again["same_as_recorded"]
        assert again["run"]["last"] == done["run"]["last"]
        assert again["exit_code"] == done["code"]


def test_runs_lists_it(terminal: Terminal, done: dict[str, Any]) -> None:
    (listed,) = [each for each in terminal.json("runs") if each["run_id"] == done["run"]["run_id"]]
    assert listed["requests"] == done["run"]["last"]["requests"]
    assert done["run"]["run_id"] in terminal.types("runs").stdout


def test_the_beginning_of_an_id_is_enough(terminal: Terminal, done: dict[str, Any]) -> None:
    run_id = done["run"]["run_id"]
    assert terminal.json("replay", run_id[:8])["run"]["run_id"] == run_id
    assert run_id in terminal.types("export", run_id[:8], "-o", "-").stdout
    refused = terminal.types("export", "no-such")
    assert (refused.exit_code, "No run has the id 'no-such'" in refused.stderr) == (64, True)


def test_a_report_for_stdout_is_all_that_is_printed(terminal: Terminal, done: dict[str, Any]) -> None:
    run_id = done["run"]["run_id"]
    said = terminal.types("replay", run_id, "--report", "markdown=-").stdout
    assert said.startswith("## ")
    assert "Finished after" not in said
    assert not (terminal.folder / "-").exists()
    twice = terminal.types("replay", run_id, "--report", "csv=-", "--report", "markdown=-")
    assert (twice.exit_code, "only one document can be printed" in twice.stderr) == (64, True)
    assert terminal.types("replay", run_id, "--report", "csv=-", "--json").exit_code == 64


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["runs"], 0), (["export", "abc"], 3), (["compare", "a", "b"], 3), (["tokens"], 3), (["audit"], 3)],
)
def test_where_there_is_no_database_reading_makes_none_and_says_where_it_looked(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    missing = terminal.folder / "elsewhere.db"
    monkeypatch.setenv("SCALE_DATABASE_URL", f"sqlite+aiosqlite:///{missing}")
    result = terminal.types(*arguments)
    assert (result.exit_code, f"There is no database at {missing}" in result.stderr) == (code, True)
    assert not missing.exists()


def test_export_writes_it(terminal: Terminal, done: dict[str, Any]) -> None:
    run_id = done["run"]["run_id"]
    table = terminal.types("export", run_id, "--format", "csv", "-o", "-").stdout
    assert len(table.splitlines()) == 1 + len(done["run"]["last"]["pods"])
    said = terminal.json("export", run_id, "--format", "html")
    assert (terminal.folder / said["file"]).stat().st_size == said["bytes"] > 10_000


def test_compare_takes_ids_and_files(terminal: Terminal, done: dict[str, Any]) -> None:
    run_id, file = done["run"]["run_id"], f"{terminal.folder}/run.json"
    for pair in ((run_id, run_id), (file, file), (run_id, file)):
        compared = terminal.json("compare", *pair)
        assert (compared["comparable"], compared["changed"]) == (True, "no more than chance")
    assert terminal.types("compare", run_id, file).exit_code == 0


@pytest.mark.usefixtures("done")
def test_doctor_has_a_row_for_every_question(terminal: Terminal) -> None:
    rows = {row["name"]: row["status"] for row in terminal.json("doctor")}
    assert rows == {
        "page": "note",
        "port": "ok",
        "local ports": "ok",
        "database": "ok",
        "history": "ok",
        "target": "ok",
        "sources": "note",
        "sign-in": "ok",
    }
    result = terminal.types("doctor", "--target", f"http://127.0.0.1:{free_port()}/")
    assert result.exit_code == 3
    assert "does not answer" in result.stdout


def test_the_doctor_makes_no_database_and_says_that_there_is_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = terminal.folder / "of-the-doctor.db"
    monkeypatch.setenv("SCALE_DATABASE_URL", f"sqlite+aiosqlite:///{missing}")
    rows = {row["name"]: (row["status"], row["found"]) for row in terminal.json("doctor")}
    assert rows["database"][0] == "note"
    assert rows["database"][1].startswith(f"There is no database at {missing} yet")
    assert "history" not in rows
    assert rows["target"][0] == "ok"
    assert not list(terminal.folder.glob(f"{missing.name}*"))


def test_the_doctor_leaves_the_tables_of_an_older_version_as_they_are(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = terminal.folder / "without-tables.db"
    empty.touch()
    monkeypatch.setenv("SCALE_DATABASE_URL", f"sqlite+aiosqlite:///{empty}")
    (row,) = [row for row in terminal.json("doctor") if row["name"] == "database"]
    assert (row["status"], "no tables of this version yet" in row["found"]) == ("note", True)
    with closing(sqlite3.connect(empty)) as looked_at:
        assert looked_at.execute("SELECT name FROM sqlite_master").fetchall() == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite+aiosqlite:///{folder}/none/scale.db", "cannot be made"),
        ("sqlite+aiosqlite:///{folder}/plan.yaml", "not a database"),
        ("postgresql+asyncpg://scale@127.0.0.1:9/scale", "Looking at the tables failed"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_problem_for_the_doctor(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("SCALE_DATABASE_URL", url.format(folder=terminal.folder))
    result = terminal.types("doctor", "--json")
    (row,) = [row for row in json.loads(result.stdout) if row["name"] == "database"]
    assert (result.exit_code, row["status"], said in row["found"]) == (3, "problem", True), row


def test_a_backup_is_restored_into_another_database(
    terminal: Terminal, done: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = terminal.json("backup", "backup.db")
    assert made == {"file": "backup.db", "bytes": (terminal.folder / "backup.db").stat().st_size}
    again = terminal.types("backup", "backup.db")
    assert (again.exit_code, "exists" in again.stderr) == (64, True)
    assert terminal.types("backup", "-").stdout_bytes.startswith(b"SQLite format 3")
    before = terminal.json("runs")
    monkeypatch.setenv("SCALE_DATABASE_URL", f"sqlite+aiosqlite:///{terminal.folder}/other.db")
    assert terminal.types("restore", "backup.db").stdout.startswith(f"Restored {len(before)} run")
    assert terminal.json("runs") == before
    refused = terminal.types("restore", "backup.db")
    assert (refused.exit_code, "--force" in refused.stderr) == (64, True)
    assert "restored" in terminal.json("restore", "backup.db", "--force")


def test_targets_without_a_cluster_says_how_to_configure_one(terminal: Terminal) -> None:
    result = terminal.types("targets")
    assert result.exit_code == 0
    assert "SCALE_KUBE_CONFIG" in result.stderr
    assert terminal.json("targets")["targets"] == []


@pytest.mark.parametrize(
    ("content", "context", "said"),
    [
        (None, "", "There is no kubeconfig at"),
        ("hello", "", "cannot be used"),
        (CONFIG, "staging", "with the context 'staging'"),
        (CONFIG, "", "could not be asked"),
    ],
    ids=["no file", "no kubeconfig", "wrong context", "nobody there"],
)
def test_a_cluster_that_cannot_be_asked_is_a_problem_with_the_reason(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, context: str, said: str
) -> None:
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SCALE_KUBE_CONFIG", str(file))
    monkeypatch.setenv("SCALE_KUBE_CONTEXTS", context)
    listed = terminal.types("targets")
    assert said in listed.stderr
    assert len(listed.stderr.splitlines()) == 1
    examined = terminal.types("doctor", "--json")
    row = next(row for row in json.loads(examined.stdout) if row["name"] == "sources")
    assert (row["status"], examined.exit_code) == ("problem", 3)
    assert said in row["found"]


def test_schema_is_json(terminal: Terminal) -> None:
    assert "gate" in json.loads(terminal.types("schema").stdout)["properties"]


def test_a_run_whose_target_is_gone_has_no_data_and_code_3(terminal: Terminal) -> None:
    result = terminal.types(
        "run", "--target", f"http://127.0.0.1:{free_port()}/", "--duration", "2", "--users", "2", "--fail-on", "never"
    )
    assert result.exit_code == 3
    assert "Failed after" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "nobody"], "No run has the id 'nobody'."),
        (["replay", "nobody"], "No run has the id 'nobody'."),
        (["compare", "nobody", "nobody"], "No run has the id 'nobody'."),
        (["replay", "plan.yaml"], "The file is not a readable run: it is not JSON."),
        (["run", "--target", "http://192.0.2.1/"], "was refused before a packet was sent"),
        (["run", "--users", "100000"], "users = 100000 cannot be used: at most 5,000 here"),
    ],
)
def test_wrong_use_is_one_sentence_and_code_64(terminal: Terminal, arguments: list[str], said: str) -> None:
    result = terminal.types(*arguments)
    assert (result.exit_code, result.stdout) == (64, "")
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_run_until_decided_ends_when_it_is_and_says_how_soon_that_was(terminal: Terminal) -> None:
    fresh = ("--requests-per-connection", "1", "--think-time", "0", "--users", "100", "--spawn-rate", "100")
    said = terminal.json("run", "--quiet", "--until", "decided", "--duration", "240", *fresh)
    run = said["run"]
    assert run["last"]["verdict"]["kind"] in ("EVEN", "UNEVEN")
    assert said["exit_code"] == CODES[run["last"]["verdict"]["kind"]]
    assert run["state"] == "finished"
    assert re.fullmatch(r"Decided after \d+ s of at most 240 s\.", run["message"])
    assert run["last"]["elapsed_s"] < 240


def test_a_run_until_decided_that_is_not_takes_its_duration(terminal: Terminal) -> None:
    """Five connections for the whole run decide nothing."""
    kept = ("--requests-per-connection", "null", "--users", "5")
    said = terminal.json("run", "--quiet", "--until", "decided", "--duration", "3", *kept)
    run = said["run"]
    assert (run["last"]["verdict"]["kind"], said["exit_code"]) == ("UNDECIDED", 2)
    assert (run["state"], run["message"]) == ("finished", "")
    assert run["last"]["elapsed_s"] >= 3


@contextlib.contextmanager
def a_run(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`scale run` of a minute, from the moment on in which it tells of its progress."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    own = {"SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/scale.db", "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "scale_app.cli", "run", "--target", "simulated", "--duration", "60", "--json"]
    guarded = [sys.executable, "-c", GUARD, str(PROJECT), str(os.getpid()), *command]
    with subprocess.Popen(
        guarded, env=environment | own, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "requests, " in process.stderr.readline()
        yield process


def test_ctrl_c_stops_the_load_and_judges_what_was_measured(tmp_path: Path) -> None:
    with a_run(tmp_path) as process:
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=30)
    said = json.loads(stdout)
    assert said["run"]["state"] == "stopped"
    assert process.returncode == said["exit_code"] == CODES[said["run"]["last"]["verdict"]["kind"]]


def test_a_second_ctrl_c_ends_the_command_without_a_verdict(tmp_path: Path) -> None:
    with a_run(tmp_path) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    if stdout == "":
        assert process.returncode == 3
        assert "there is no verdict" in stderr
    else:  # both may come as one, or so late that the run was judged meanwhile
        assert process.returncode == json.loads(stdout)["exit_code"]


ENDED_WHILE_LOADING = """
import os, signal, sys
from scale_app.cli import main

class Loading:
    def find_spec(name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Loading)
main(sys.argv[2:])
"""


@pytest.mark.parametrize("library", ["click", "scale_app.domain.errors", "scale_app.cli.run"])
def test_ctrl_c_while_a_command_is_loaded_is_one_sentence_and_no_verdict(tmp_path: Path, library: str) -> None:
    command = [sys.executable, "-c", ENDED_WHILE_LOADING, library, "run", "--target", "simulated", "--duration", "5"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30)
    assert done.returncode == 3
    assert (done.stdout, done.stderr.strip()) == ("", "The command was ended before it finished.")


def test_a_run_that_passes_is_marked_as_the_baseline_that_was_asked_for(terminal: Terminal) -> None:
    asked = ("run", "--target", "simulated?pods=1", "--duration", "2", "--mark-baseline", "one")
    done = terminal.types(*asked)
    assert (done.exit_code, done.stderr.count("not set")) == (0, 0)
    assert "one" in terminal.types("runs").stdout
    uneven = terminal.types("run", "--target", "simulated?pods=3&cv=1", *asked[3:])
    assert uneven.exit_code == 1
    assert "The run was not set as the baseline one" in uneven.stderr


def test_a_secret_that_is_bound_to_this_machine_is_a_problem_for_the_doctor_and_stops_the_start(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALE_SECRET_SHOP", "a secret of the shop")
    monkeypatch.setenv("SCALE_SECRET_SHOP_FOR", "localhost")
    said = "SCALE_SECRET_SHOP_FOR = 'localhost' is not accepted: that is this machine, to which a secret is never sent."
    examined = terminal.types("doctor", "--json")
    problems = [row for row in json.loads(examined.output) if row["status"] == "problem"]
    assert (examined.exit_code, [row["name"] for row in problems]) == (3, ["secret"])
    assert problems[0]["found"].startswith(said)
    served = subprocess.run(
        [sys.executable, "-m", "scale_app.cli", "serve"],
        cwd=PROJECT, env={**os.environ, "SCALE_PORT": str(free_port())}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (served.returncode, served.stderr.startswith(said)) == (64, True), served.stderr
    monkeypatch.setenv("SCALE_SECRET_SHOP_FOR", "shop.example")
    assert "problem" not in {row["status"] for row in terminal.json("doctor") if row["name"] == "secret"}
