"""What may be asked of a target: method, headers and body of a plan's request. Checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scale_app.domain.errors import PlanError

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
IDEMPOTENT_METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
"""Those whose request may be sent again when a connection turns out to be closed (RFC 9110, 9.2.2)."""
FRAMING_HEADERS = ("connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
MOST_HEADERS = 50
MOST_HEADER_BYTES = 8_192
MOST_BODY_BYTES = 2**20

_VALUE = re.compile(r"[\t\x20-\x7e]*")


def check_request(method: object, headers: object, body: object) -> None:
    """Raise PlanError for the first of them that cannot be sent."""
    if method not in METHODS:
        raise PlanError("method", method, f"one of {', '.join(METHODS)}")
    if not isinstance(body, str) or len(body.encode()) > MOST_BODY_BYTES:
        raise PlanError("body", "(too long)" if isinstance(body, str) else body, "text of at most 1 MiB")
    if not isinstance(headers, Mapping) or len(headers) > MOST_HEADERS:
        raise PlanError("headers", headers, f"at most {MOST_HEADERS} names with their values")
    for name, value in headers.items():
        _check_header(name, value)


def _check_header(name: object, value: object) -> None:
    if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
        raise PlanError("headers", name, "a request header's name such as Accept-Language")
    if name.lower() in FRAMING_HEADERS:
        raise PlanError("headers", name, "this header is set by the load generator itself")
    if not isinstance(value, str) or len(value) > MOST_HEADER_BYTES or not _VALUE.fullmatch(value):
        # The value may be a secret: it is not repeated.
        raise PlanError("headers", name, "its value must be printable ASCII of at most 8,192 characters")
