"""What may be asked of a target: method, headers, body or a locustfile. Checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scale_app.domain.errors import PlanError

USER_AGENT = "scale-load-test"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
IDEMPOTENT_METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
"""Those whose request may be sent again when a connection turns out to be closed (RFC 9110, 9.2.2)."""
FRAMING_HEADERS = ("connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
MOST_HEADERS = 50
MOST_HEADER_BYTES = 8_192
MOST_BODY_BYTES = 2**20

MOST_CA_BYTES = 256 * 2**10
SECRET_PREFIX = "SCALE_SECRET_"
SECRET_HEADERS = re.compile(r"authorization|cookie|token|secret|password|api-?key|credential", re.IGNORECASE)
"""Headers whose value is nobody's business: a plan is stored and shown, so it may only name their value."""

_REFERENCE = re.compile(r"\$\{env:(" + SECRET_PREFIX + r"[A-Z0-9_]{1,100})\}")
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
    _check_references("body", body)


def check_authorities(pem: object) -> None:
    """Raise PlanError unless this is "" or certificates in PEM."""
    if pem == "":
        return
    accepted = "certificates in PEM, at most 256 KiB"
    if not isinstance(pem, str) or len(pem) > MOST_CA_BYTES or "-----BEGIN CERTIFICATE-----" not in pem:
        raise PlanError("ca_pem", "(not shown)", accepted)
    if "PRIVATE KEY" in pem:
        raise PlanError("ca_pem", "(not shown)", f"{accepted}, without any private key")


def resolved(text: str, variables: Mapping[str, str]) -> str:
    """The text with each `${env:SCALE_SECRET_...}` replaced by that variable.

    Raises PlanError, which never holds a value, when a variable is not set or has characters that no header may have.
    """

    def value_of(found: re.Match[str]) -> str:
        value = variables.get(found[1])
        if not value:
            raise PlanError("headers", found[0], "this variable is not set where the load generator runs")
        if not _VALUE.fullmatch(value):
            raise PlanError("headers", found[0], "its value must be one line of printable ASCII")
        return value

    return _REFERENCE.sub(value_of, text)


def _check_references(field: str, text: str) -> None:
    if "${env:" in _REFERENCE.sub("", text):
        raise PlanError(field, "${env:...}", f"only variables named {SECRET_PREFIX}... may be asked for")


def _check_header(name: object, value: object) -> None:
    if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
        raise PlanError("headers", name, "a request header's name such as Accept-Language")
    if name.lower() in FRAMING_HEADERS:
        raise PlanError("headers", name, "this header is set by the load generator itself")
    if not isinstance(value, str) or len(value) > MOST_HEADER_BYTES or not _VALUE.fullmatch(value):
        # The value may be a secret: it is not repeated.
        raise PlanError("headers", name, "its value must be printable ASCII of at most 8,192 characters")
    _check_references("headers", value)
    if SECRET_HEADERS.search(name) and value and not _REFERENCE.search(value):
        accepted = f"its value is stored and shown with the plan; give ${{env:{SECRET_PREFIX}NAME}} instead of a secret"
        raise PlanError("headers", name, accepted)


LOCUSTFILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.py")


def check_locustfile(name: object, requests_per_connection: int | None, arrivals_per_s: float | None) -> None:
    """Raise PlanError unless this is "" or the name of a file that goes with the rest of the plan."""
    if name == "":
        return
    if not isinstance(name, str) or not LOCUSTFILE_NAME.fullmatch(name):
        raise PlanError("locustfile", name, "a file's name such as checkout.py, without any folder")
    if requests_per_connection is not None:
        accepted = "null with a locustfile, whose clients keep their connections as they like"
        raise PlanError("requests_per_connection", requests_per_connection, accepted)
    if arrivals_per_s is not None:
        raise PlanError("arrivals_per_s", arrivals_per_s, "null with a locustfile, whose users decide when they send")
