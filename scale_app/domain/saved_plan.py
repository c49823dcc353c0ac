"""A plan that people keep under a name, and the names that runs and plans may be given."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan

LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """name: unique in this installation. saved_at_epoch_s: wall clock of the last time it was saved.

    unreadable: why the stored plan cannot be read, "" when it can; plan is the default one then.
    Raises PlanError for a name that cannot be used.
    """

    name: str
    plan: LoadPlan
    saved_at_epoch_s: float
    unreadable: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)


def check_name(name: object) -> None:
    """Raise PlanError unless a plan or a baseline may be called so: it is shown, and it is a part of a path."""
    usable = isinstance(name, str) and 1 <= len(name) <= LONGEST_NAME and name == name.strip() and name.isprintable()
    if not usable or "/" in str(name) or name in (".", ".."):
        raise PlanError("name", name, f"1 to {LONGEST_NAME} printable characters, no slash, no spaces at either end")
