"""What a plan may say of a locustfile: a name, never a path, and nothing that Locust's clients cannot do."""

from __future__ import annotations

import re

from scale_app.domain.errors import PlanError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.py")


def check_locustfile(name: object, requests_per_connection: int | None, arrivals_per_s: float | None) -> None:
    """Raise PlanError unless this is "" or the name of a file that goes with the rest of the plan."""
    if name == "":
        return
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PlanError("locustfile", name, "a file's name such as checkout.py, without any folder")
    if requests_per_connection is not None:
        accepted = "null with a locustfile, whose clients keep their connections as they like"
        raise PlanError("requests_per_connection", requests_per_connection, accepted)
    if arrivals_per_s is not None:
        raise PlanError("arrivals_per_s", arrivals_per_s, "null with a locustfile, whose users decide when they send")
