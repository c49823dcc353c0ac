"""One value as what changed since another: of counters that mostly grow a little, a fraction of the whole.

A change is JSON: a whole number is added to the number that was there; a list holds what takes the old value's place,
and for a new key, where it does not come last, its place among the keys; an object holds the changes of some fields or
keys; null means that the key is gone. The order of keys comes back too, since sums of floats depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from scale_app.codec import to_wire

PLAIN = (int, float, str, bool, type(None))


def difference(before: Any, now: Any) -> Any:
    """The change that makes `now` of `before`; both domain values (dataclasses, mappings, tuples, plain values)."""
    kind: type[Any] = type(now)
    if type(before) is not kind:
        return [_wire(now)]
    if kind is int:
        return now - before
    if is_dataclass(now):
        pairs = [(name, getattr(before, name), getattr(now, name)) for name in now.__dataclass_fields__]
        return {name: difference(old, new) for name, old, new in pairs if old != new}
    if isinstance(now, Mapping):
        return _of_keys(before, now)
    return [_wire(now)]


def changed(before: Any, change: Any) -> Any:
    """What `difference` was given as `now`, as JSON-ready values, of the same of `before`, which stays as it is.

    Raises ValueError, TypeError, KeyError, IndexError or AttributeError for a change that is none.
    """
    if isinstance(change, int):
        return before + change
    if isinstance(change, list):
        return change[0]
    now = dict(before)
    for key, part in change.items():
        if part is None:
            del now[key]
        elif key in before:
            now[key] = changed(before[key], part)
        else:
            now[key] = part[0]
    places = {key: part[1] for key, part in change.items() if isinstance(part, list) and len(part) > 1}
    return _placed(now, places) if places else now


def _of_keys(before: Mapping[Any, Any], now: Mapping[Any, Any]) -> Any:
    order, earlier = list(now), list(before)
    change: dict[str, Any] = {}
    if order != earlier:
        new = [key for key in order if key not in before]
        stayed = [key for key in earlier if key in now]
        if [key for key in order if key in before] != stayed:
            return [_wire(now)]
        last = order[len(stayed) :] == new
        places = {key: at for at, key in enumerate(order)}
        change = {_key(key): None for key in earlier if key not in now}
        change |= {_key(key): [_wire(now[key])] if last else [_wire(now[key]), places[key]] for key in new}
    for key, value in now.items():
        if key in before and (old := before[key]) != value:
            # Counts by the thousand are most of what comes here; a call for each would take twice as long.
            change[_key(key)] = value - old if type(value) is int is type(old) else difference(old, value)
    return change


def _placed(values: dict[str, Any], places: dict[str, int]) -> dict[str, Any]:
    order = [key for key in values if key not in places]
    for key, place in sorted(places.items(), key=lambda each: each[1]):
        order.insert(place, key)
    return {key: values[key] for key in order}


def _wire(value: Any) -> Any:
    return value if type(value) in PLAIN else to_wire(value)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key)
