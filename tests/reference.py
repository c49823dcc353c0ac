"""The pages of docs/reference/ that are made from the code: settings, command line, exit codes, plan, figures."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import click

from scale_app.cli.commands import MEANINGS as EXITS
from scale_app.cli.commands import scale
from scale_app.codec import plan_schema, to_wire
from scale_app.domain.gate import Gate
from scale_app.domain.passing import FAIL_ON
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan
from scale_app.identity_settings import IdentitySettings, OidcSettings, ProxySettings
from scale_app.reports import FORMATS
from scale_app.settings import Settings, WorkerListener
from scale_app.views.meanings import MEANINGS

SETTING = re.compile(r"\n(?P<fields>\w+(?:, \w+)*) \((?P<names>[^)]*?SCALE_[^)]*)\): ")
DEFAULTS = {
    "SCALE_MAX_USERS": "limits.users",
    "SCALE_MAX_SPAWN_RATE": "limits.spawn_rate",
    "SCALE_MAX_DURATION_S": "limits.duration_s",
    "SCALE_MAX_ARRIVALS_PER_S": "limits.arrivals_per_s",
    "SCALE_MAX_PROCESSES": "limits.processes",
    "SCALE_HISTORY_DAYS": "retention.days",
    "SCALE_HISTORY_RUNS": "retention.runs",
    "SCALE_HISTORY_MB": "retention.size_mb",
    **{f"SCALE_PROXY_{each.name.upper()}": f"proxy.{each.name}" for each in fields(ProxySettings)},
    **{f"SCALE_OIDC_{each.name.upper()}": f"oidc.{each.name}" for each in fields(OidcSettings)},
    "SCALE_OIDC_CLIENT_SECRET_FILE": "oidc.client_secret",
}
"""Settings whose default is not that of a field of the same name."""
ELSEWHERE = {
    "SCALE_SECRET_*": "values for `${env:SCALE_SECRET_...}` in a plan's headers and body: one line of printable ASCII "
    "with at least 8 characters.",
    "SCALE_SECRET_*_FOR": "the targets to which that secret may be sent, written like `SCALE_ALLOWED_TARGETS`; without "
    "it, nowhere. Never to this machine.",
    "SCALE_TOKEN": "the token with which commands ask a server; or SCALE_TOKEN_FILE, the file that holds it.",
    "SCALE_SERVER": "the running server that commands ask, as `--server` does.",
}
"""Variables that are in no docstring: of any name, or read by the command line."""


def settings_page() -> str:
    """Every environment variable, from the docstrings of the types that hold them."""
    rows = []
    for kind in (Settings, WorkerListener, IdentitySettings, ProxySettings, OidcSettings):
        text = inspect.cleandoc(kind.__doc__ or "")
        pieces = SETTING.split(text)[1:]
        for _, names, said in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
            found = re.findall(r"SCALE_[A-Z0-9_]+", names)
            rows.append((", ".join(f"`{name}`" for name in found), ", ".join(map(_default, found)), _cell(said)))
    rows += [(f"`{name}`", "(none)", said) for name, said in ELSEWHERE.items()]
    head = "All settings are environment variables. A value that is not accepted stops the start with exit code 64.\n"
    return _page("Settings", head, _table(("Variable", "Default", "Meaning"), rows))


def command_page() -> str:
    """Every command with its flags, as click knows them."""
    parts = [
        "Every command has `--help`; most have `--json`, which prints one JSON document for programs on stdout, and "
        "`--server URL` (or `SCALE_SERVER`) to ask a running server. Progress and errors go to stderr.\n"
    ]
    for name, command in _commands():
        parts.append(f"## scale {name}\n")
        parts.append(f"{inspect.cleandoc(command.help or '')}\n")
        parts.append(f"```\nscale {name} {' '.join(_usage(command))}\n```\n")
        if rows := [_option(each) for each in command.params if isinstance(each, click.Option)]:
            parts.append(_table(("Flag", "Default", "Meaning"), rows))
    parts.append("## Report formats\n")
    parts.append(
        _table(
            ("Format", "File ends with", "Holds"), [(f"`{f.name}`", f".{f.ending}", f.about) for f in FORMATS.values()]
        )
    )
    return _page("Command line", *parts)


def _commands() -> Iterable[tuple[str, click.Command]]:
    """Each with its name, and after it those that it has of its own."""
    for name, command in sorted(scale.commands.items()):
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {own}", each) for own, each in sorted(command.commands.items()))


def exit_page() -> str:
    """Exit codes, and what chooses them."""
    rows = [(str(int(code)), text) for code, text in EXITS.items()]
    chosen = (
        f"`--fail-on` names what makes it non-zero: {', '.join(f'`{each}`' for each in FAIL_ON)}, or `never`. "
        "Exit code 3 cannot be disabled: a run without data proves nothing.\n"
    )
    return _page("Exit codes", "The same for every command.\n", _table(("Code", "Meaning"), rows), chosen)


def plan_page() -> str:
    """Every field of a plan, its gate and its pattern."""
    head = "`scale schema` prints the JSON schema, for editors and checkers. `null` stands for none.\n"
    schema = plan_schema()
    parts = [head, _fields(LoadPlan(), schema)]
    for title, value in (("gate", Gate()), ("pattern", Pattern())):
        parts += [f"## {title}\n", _fields(value, schema["$defs"][type(value).__name__])]
    return _page("Plan files", *parts)


def figures_page() -> str:
    """What every figure means."""
    rows = [
        (each.name, _cell(each.meaning), each.formula and f"`{each.formula}`", _cell(each.source))
        for each in MEANINGS.values()
    ]
    head = "What the `i` buttons say. Reasons: [statistics](../statistics.md). Words: [glossary](../glossary.md).\n"
    return _page("Figures", head, _table(("Figure", "Meaning", "Formula", "Where from"), rows))


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": command_page,
    "exit-codes.md": exit_page,
    "plan.md": plan_page,
    "figures.md": figures_page,
}


def _page(title: str, *parts: str) -> str:
    made = "<!-- Made from the code by tests/reference.py; pytest --update-golden writes it anew. -->\n"
    return "\n".join((f"# {title}\n", made, *parts)).rstrip() + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (head, tuple("---" for _ in head), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(name: str) -> str:
    value: Any = {**_all(Settings()), **_all(WorkerListener()), **_all(IdentitySettings())}
    for part in DEFAULTS.get(name, name.removeprefix("SCALE_").lower()).split("."):
        value = value.get(part) if isinstance(value, dict) else getattr(value, part)
    return "(none)" if value in ("", (), None, {}) else f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _all(holder: object) -> dict[str, object]:
    return {field.name: getattr(holder, field.name) for field in fields(holder)}  # type: ignore[arg-type]


def _usage(command: click.Command) -> list[str]:
    return command.collect_usage_pieces(click.Context(command))


def _option(option: click.Option) -> tuple[str, str, str]:
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    default = f"`{option.default}`" if option.show_default and not option.is_flag else ""
    return f"`{', '.join(option.opts)}{value}`", default, _cell(option.help or "")


def _fields(value: object, schema: dict[str, Any]) -> str:
    told = schema["properties"]
    texts = {name: field["description"][:1].upper() + field["description"][1:] for name, field in told.items()}
    rows = [(f"`{name}`", _shown(each), _cell(texts[name])) for name, each in to_wire(value).items()]
    return _table(("Field", "Default", "Meaning"), rows)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "see below" if len(value) > 2 else f"`{json.dumps(value)}`"
    return "`null`" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value or repr(value)}`"
