"""The table of contents of the `scale` command: where each command is, and what it does."""

from __future__ import annotations

from scale_app.cli.group import Later, Scale

scale = Scale(
    "Do the pods behind this Kubernetes service share the work evenly?",
    {
        "backup": Later("backup:backup", "Write every run, baseline and saved plan into a file."),
        "build": Later("build:build", "Build the page, unless its sources are those of the last build."),
        "compare": Later("compare:compare_runs", "Hold the SECOND run against the FIRST, each an id or a file."),
        "doctor": Later("doctor:doctor", "Check this installation, or with --server a running one as seen from here."),
        "export": Later("export:export_run", "Write a run as a file."),
        "replay": Later("replay:replay", "Judge a recorded run again by today's rules."),
        "restore": Later("backup:restore", "Let the database hold what is in a backup."),
        "run": Later("run:run", "Run one load test and judge it."),
        "runs": Later("runs:runs", "List runs, newest first."),
        "schema": Later("about:schema", "Print the JSON schema of plan files, for editors and checkers."),
        "serve": Later("serve:serve", "Serve page, API and WebSocket on SCALE_HOST:SCALE_PORT (127.0.0.1:8000)."),
        "targets": Later("about:targets", "List what the configured clusters offer to load."),
        "worker": Later("worker:worker", "Send load for the runs of another machine, until SIGTERM or Ctrl-C."),
    },
)
