"""Who may use a server: `scale tokens` lists, makes and revokes tokens; `scale audit` lists who did what."""

from __future__ import annotations

import asyncio
import time

import click

from scale_app.cli.client import opened_access, the_one
from scale_app.cli.terminal import Number, WholeNumber, json_option, output, plain, print_json, server_option, table
from scale_app.codec import to_wire
from scale_app.domain.audit import AccessToken, AuditEntry, MadeToken
from scale_app.domain.identity import Role
from scale_app.log_lines import harmless
from scale_app.service.access import DAYS
from scale_app.views.access import audit_line, token_line

SHOWN_ONCE = "This is shown once. Give it to a program as SCALE_TOKEN, or in a file that SCALE_TOKEN_FILE names."


@click.group(invoke_without_command=True)
@server_option
@json_option
@click.pass_context
def tokens(context: click.Context, server: str | None, as_json: bool) -> None:
    """List tokens, newest first: your own, as an admin everybody's. `make NAME` makes one, `revoke ID` ends one."""
    context.obj = server
    if context.invoked_subcommand is None:
        found = asyncio.run(_tokens(server))
        print_json([to_wire(token) for token in found]) if as_json else _print_tokens(found)


@tokens.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.VIEWER.value, show_default=True,
    help="What it may do: at most what you may.",
)  # fmt: skip
@click.option("--days", type=Number(), default=DAYS, show_default=True, help="Days until it expires, 0 for never.")
@server_option
@json_option
@click.pass_obj
def make(of_all: str | None, name: str, role: str, days: float, server: str | None, as_json: bool) -> None:
    """Make a token called NAME, and show it this once."""
    made = asyncio.run(_make(server or of_all, name, Role(role), days))
    if as_json:
        print_json(to_wire(made))
        return
    click.echo(harmless(made.text))
    click.echo(SHOWN_ONCE, err=True)


@tokens.command()
@click.argument("token_id", metavar="ID")
@server_option
@click.pass_obj
def revoke(of_all: str | None, token_id: str, server: str | None) -> None:
    """End the token whose ID begins so, at once."""
    click.echo(f"Revoked {harmless(asyncio.run(_revoke(server or of_all, token_id)))}.")


@click.command()
@click.option("--limit", type=WholeNumber(1, 500), default=20, show_default=True, help="The most entries to list.")
@click.option("--offset", type=WholeNumber(0), default=0, help="How many of the newest to skip.")
@server_option
@json_option
def audit(limit: int, offset: int, server: str | None, as_json: bool) -> None:
    """List who changed what, when, from where, and what was refused, newest first. A server tells admins only."""
    found = asyncio.run(_audit(server, limit, offset))
    print_json([to_wire(entry) for entry in found]) if as_json else _print_audit(found, offset)


async def _tokens(server: str | None) -> list[AccessToken]:
    async with opened_access(server) as client:
        return await client.tokens()


async def _make(server: str | None, name: str, role: Role, days: float) -> MadeToken:
    async with opened_access(server, reads_only=False) as client:
        return await client.make_token(name, role, days)


async def _revoke(server: str | None, begins: str) -> str:
    """The id of the token that was revoked."""
    async with opened_access(server) as client:
        found = [token.id for token in await client.tokens() if begins and token.id.startswith(begins)]
        token_id = the_one("token", begins, found) if found else begins
        await client.revoke_token(token_id)
        return token_id


async def _audit(server: str | None, limit: int, offset: int) -> list[AuditEntry]:
    async with opened_access(server) as client:
        return await client.audit_entries(limit, offset)


def _print_tokens(found: list[AccessToken]) -> None:
    rows = table("Token", "Name", "Role", "Owner", "State", "Last used")
    now_s = time.time()
    for each in (token_line(token, now_s) for token in found):
        told = (each.token_id, each.name, each.role, each.owner, each.state, each.used)
        rows.add_row(*map(plain, told))
    output().print(rows if found else "No tokens yet.")


def _print_audit(found: list[AuditEntry], offset: int) -> None:
    rows = table("When", "Who", "From", "Did", "To", "Outcome")
    for each in map(audit_line, found):
        who = f"{each.who} ({each.role})" if each.role else each.who
        outcome = f"{each.outcome}: {each.why}" if each.why else each.outcome
        told = (each.at, who, each.address, each.action, each.subject, outcome)
        rows.add_row(*map(plain, told))
    none = f"The audit log has no more than {offset:,} entries." if offset else "Nothing is in the audit log yet."
    output().print(rows if found else none)
