"""What cannot be read of a row is that row's problem: it is left out or stood in for, and said; the rest is read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")
Row = TypeVar("Row")


class Damages:
    """What this process has found damaged. It stays known: who reads less of a run is told of it, too."""

    def __init__(self) -> None:
        self._found: dict[str, Damage] = {}

    def of(self, thing: str) -> Damage:
        """What is known of it. thing: its name in a sentence, as in "run 12"."""
        return self._found.get(thing) or Damage(thing, self._found)

    def sentence(self, thing: str) -> str:
        """What is known of it, for people; "" for nothing."""
        damage = self._found.get(thing)
        return damage.sentence if damage else ""

    def forget(self, thing: str) -> None:
        self._found.pop(thing, None)


class Damage:
    """What could not be read of one thing that is stored. The log is told of each part once."""

    def __init__(self, of: str, found: dict[str, Damage]) -> None:
        """found: where it is put once there is any."""
        self._of = of
        self._found = found
        self._parts: dict[str, str] = {}
        self._logged: set[str] = set()

    def read(self, part: str, read: Callable[[], T], otherwise: T) -> T:
        """What `read` gives, or `otherwise` when it raises ValueError. part: its name in a sentence."""
        try:
            found = read()
        except ValueError as error:
            self.tell(part, f"the {part}", error)
            return otherwise
        self._parts.pop(part, None)
        return found

    def lines(self, part: str, read: Callable[[Row], T], rows: Iterable[Row]) -> list[T]:
        """What `read` gives for each row, without those for which it raises ValueError or KeyError.

        part: how one of them is called, with {s} where the word ends.
        """
        found: list[T] = []
        errors = []
        for row in rows:
            try:
                found.append(read(row))
            except (ValueError, KeyError) as error:
                errors.append(error)
        if errors:
            self.tell(part, f"{len(errors)} {part.format(s='' if len(errors) == 1 else 's')}", errors[-1])
        else:
            self._parts.pop(part, None)
        return found

    def tell(self, part: str, said: str, error: Exception) -> None:
        """A part cannot be read. said: what, in a sentence."""
        self._found[self._of] = self
        self._parts[part] = said
        if said not in self._logged:
            self._logged.add(said)
            log.warning("%s of %s cannot be read: %s", said, self._of, str(error)[:500])

    @property
    def sentence(self) -> str:
        """For people; "" when all could be read."""
        parts = list(self._parts.values())
        if not parts:
            return ""
        said = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
        return (
            f"{said[0].upper()}{said[1:]} of {self._of} cannot be read: stored by another version of Scale, or "
            "damaged. The rest is shown. Start the version that kept it, or delete it."
        )
