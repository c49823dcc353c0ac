"""Tokens and the audit log as people read them, on the page and in the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.audit import AccessToken, AuditEntry
from scale_app.views import format as shown

NOBODY = "nobody"
DONE, FAILED, REFUSED = "done", "failed", "refused"


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A token in a list. state: until when it is valid, or why it is not. valid: at the time of the list."""

    token_id: str
    name: str
    role: str
    owner: str
    made: str
    state: str
    used: str
    valid: bool


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An entry of the audit log in a list. outcome: done, failed or refused. why: "" where it was done."""

    at: str
    who: str
    role: str
    address: str
    action: str
    subject: str
    outcome: str
    why: str


def token_line(token: AccessToken, now_epoch_s: float) -> TokenLine:
    """The token as it is at this wall-clock time."""
    made, used = shown.moment(token.made_at_epoch_s), shown.moment(token.last_used_at_epoch_s)
    valid = token.valid_at(now_epoch_s)
    return TokenLine(token.id, token.name, token.role.value, token.owner, made, _state(token, valid), used, valid)


def _state(token: AccessToken, valid: bool) -> str:
    if token.revoked_at_epoch_s is not None:
        return f"revoked {shown.moment(token.revoked_at_epoch_s)}"
    if token.expires_at_epoch_s is None:
        return "valid until it is revoked"
    return f"{'valid until' if valid else 'expired'} {shown.moment(token.expires_at_epoch_s)}"


def audit_line(entry: AuditEntry) -> AuditLine:
    """The entry, with nobody for a caller that was not known."""
    at = shown.moment(entry.at_epoch_s)
    outcome = (DONE if not entry.reason else FAILED) if entry.allowed else REFUSED
    who, role = entry.who or NOBODY, entry.role if entry.who else ""
    return AuditLine(at, who, role, entry.address, entry.action, entry.subject, outcome, entry.reason)
