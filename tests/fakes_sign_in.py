"""An identity provider that believes whoever says a name."""

from __future__ import annotations

from scale_app.domain.audit import AuditEntry
from scale_app.domain.errors import ScaleError
from scale_app.domain.identity import Person
from scale_app.domain.sign_in import SignInAttempt, SignInRefused


class FakeProvider:
    """people: by the code that they come back with, which counts once. broken: what every call raises."""

    def __init__(self, **people: Person) -> None:
        self.people = people
        self.broken: ScaleError | None = None
        self.attempts: list[SignInAttempt] = []

    async def address(self, attempt: SignInAttempt) -> str:
        if self.broken:
            raise self.broken
        self.attempts.append(attempt)
        return f"https://idp.example/authorize?state={attempt.state}"

    async def person(self, attempt: SignInAttempt, code: str) -> Person:
        if self.broken:
            raise self.broken
        if attempt not in self.attempts or code not in self.people:
            raise SignInRefused(f"{code} is no code")
        return self.people.pop(code)


class FakeAudit:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def note(self, entry: AuditEntry) -> None:
        self.entries.append(entry)
