"""Where what can go wrong with a cluster becomes a sentence for people: what was tried, what came back, what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scale_app.domain.cluster import Rule
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable, ScaleError

FORBIDDEN = re.compile(r'cannot (?P<verb>\w+) resource "(?P<resource>[\w./-]+)" in API group "(?P<group>[\w.-]*)"')
MOST_QUOTED = 300


class NotThere(ClusterUnavailable):
    """The object, or the whole kind of object, does not exist in this cluster (404)."""


class Gone(ClusterUnavailable):
    """The version from which a watch should go on is too old (410): list again."""


@contextmanager
def config_border(kube_config: str, context: str) -> Iterator[None]:
    """Errors of reading a configuration, whatever the package raises for it, become ClusterUnavailable."""
    try:
        yield
    except ScaleError:
        raise
    except Exception as error:
        raise ClusterUnavailable(_config_sentence(kube_config, context, error)) from error


@contextmanager
def border(host: str, path: str, limit_s: float) -> Iterator[None]:
    """Errors of a connection become ClusterUnavailable."""
    from aiohttp import ClientError

    try:
        yield
    except TimeoutError as error:
        raise ClusterUnavailable(
            f"The cluster {host} did not answer {path} within {limit_s:g} s. Check that it runs and can be reached."
        ) from error
    except (ClientError, OSError, ValueError) as error:
        raise ClusterUnavailable(
            f"The cluster {host} could not be asked for {path}: {quoted(str(error) or type(error).__name__)}. "
            "Check that it runs and can be reached, and that the kubeconfig belongs to this cluster."
        ) from error


def of_status(host: str, method: str, path: str, status: int, body: bytes) -> ClusterUnavailable:
    """The error for an answer that is not a success."""
    said = _message(body)
    if status == 401:
        return ClusterUnavailable(
            f"The cluster {host} does not accept the token or certificate that was sent (401) for {path}: it has "
            "expired or belongs to another cluster. Renew the kubeconfig's login, or the service account's token."
        )
    if status == 403:
        return _forbidden(host, method, path, said)
    if status == 404:
        return NotThere(f"The cluster {host} has no {path} (404).")
    if status == 410:
        return Gone(f"The cluster {host} no longer has the version of {path} that was asked for (410).")
    return ClusterUnavailable(
        f"The cluster {host} answered {path} with status {status}{f': {said}' if said else ''}. Try again later."
    )


def forbidden(host: str, path: str, rule: str) -> ClusterForbidden:
    """The error for an account that lacks the rule, as in "list pods"."""
    return ClusterForbidden(
        f"The cluster {host} does not let this account {rule} (403, asked for {path}). "
        f"Grant {rule!r} in a Role, or do without what needs it.",
        rule,
    )


def quoted(text: str) -> str:
    """A stranger's text, safe to show in one line: printable, and not too long."""
    line = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(line.split())
    return line if len(line) <= MOST_QUOTED else f"{line[: MOST_QUOTED - 3]}..."


def _forbidden(host: str, method: str, path: str, said: str) -> ClusterForbidden:
    found = FORBIDDEN.search(said)
    rule = str(Rule(found["verb"], found["resource"], found["group"])) if found else f"{method.lower()} {path}"
    return forbidden(host, path, rule)


def _message(body: bytes) -> str:
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = status.get("message") if isinstance(status, dict) else None
    return quoted(message) if isinstance(message, str) else ""


def _config_sentence(kube_config: str, context: str, error: Exception) -> str:
    if kube_config == "in-cluster":
        return (
            f"Scale is set to use its pod's service account (SCALE_KUBE_CONFIG=in-cluster), which is missing: "
            f"{quoted(str(error))} Mount the service account's token, or name a kubeconfig file."
        )
    if not Path(kube_config).is_file():
        return f"There is no kubeconfig at {kube_config} (SCALE_KUBE_CONFIG). Put the file there, or name another one."
    of_context = f" with the context {context!r}" if context else ""
    return (
        f"The kubeconfig {kube_config}{of_context} (SCALE_KUBE_CONFIG, SCALE_KUBE_CONTEXTS) cannot be used: "
        f"{quoted(str(error) or type(error).__name__)}. Check the file with kubectl config view."
    )
