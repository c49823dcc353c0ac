"""What an error is on the wire: its status, and its body as problem+json (RFC 9457) or in the first routes' shape.

`/api/v1` and the probes answer with a problem: `type` names the cause for programs and is where the reference explains
it, `detail` is the sentence for people. The older routes keep `{"error": sentence}`: see
docs/decisions/0002-wire-shapes.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from scale_app.domain.errors import (
    BaselineNotFound,
    ClusterForbidden,
    ClusterUnavailable,
    CountingFailed,
    GeneratorFailed,
    NoExperiment,
    PlanError,
    PlanNotFound,
    RunNotActive,
    RunNotFound,
    RunStillActive,
    ScaleError,
    StoreUnavailable,
    TargetRefused,
    TargetUnavailable,
    TooManyExports,
    TooManyRuns,
)

V1 = "/api/v1"
REFERENCE = "/api/docs"
PROBES = ("/healthz", "/readyz", "/metrics", "/openapi.json")
PROBLEM_JSON = "application/problem+json"


class BodyError(ScaleError):
    """The request's body could not be taken at all: not JSON (400) or said to be something else (415)."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


STATUS: dict[type[ScaleError], int] = {
    PlanError: 422,
    TargetRefused: 403,
    RunNotFound: 404,
    BaselineNotFound: 404,
    PlanNotFound: 404,
    RunNotActive: 409,
    RunStillActive: 409,
    NoExperiment: 409,
    TooManyRuns: 429,
    TooManyExports: 503,
    StoreUnavailable: 503,
    GeneratorFailed: 503,
    CountingFailed: 503,
    TargetUnavailable: 503,
    ClusterUnavailable: 503,
    ClusterForbidden: 503,
}

TITLES = {
    400: "Bad request",
    403: "Refused",
    404: "Not found",
    405: "Method not possible here",
    408: "Request incomplete",
    409: "Not possible now",
    413: "Request too large",
    415: "Not JSON",
    421: "Another host",
    422: "A value that cannot be used",
    426: "WebSocket only",
    429: "Enough runs at the same time",
    500: "A fault of Scale's own",
    503: "Not available now",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request was not fulfilled.

    type: the cause, the same for every request that fails for it, and where the reference explains it.
    title: the cause in a few words. status: of the answer. detail: what was tried, what came back and what to do next.
    field: the part of the request that is at fault, "" when it is the whole.
    """

    type: str
    title: str
    status: int
    detail: str
    field: str = ""


def status_of(error: ScaleError) -> int:
    """The HTTP status that an error has; 500 for one that no caller can cause."""
    if isinstance(error, BodyError):
        return error.status
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_body(path: str, status: int, sentence: str, error: ScaleError | None = None) -> tuple[dict[str, Any], str]:
    """Body and content type of an error at this path. error: the cause, None for one of HTTP's own."""
    field = error.field if isinstance(error, PlanError) else ""
    if path.startswith((V1, REFERENCE)) or path in PROBES:
        body = {"type": type_of(status, error), "title": TITLES.get(status, "Error"), "status": status}
        return {**body, "detail": sentence, "field": field}, PROBLEM_JSON
    return {"error": sentence, **({"field": field} if field else {})}, "application/json"


def type_of(status: int, error: ScaleError | None = None) -> str:
    """The address that names a cause."""
    return f"{REFERENCE}#{anchor_of(status, None if error is None else type(error))}"


def anchor_of(status: int, kind: type[ScaleError] | None = None) -> str:
    """RunNotFound becomes run-not-found; what is HTTP's own is called after its status."""
    if kind in STATUS:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()
    return f"status-{status}"
