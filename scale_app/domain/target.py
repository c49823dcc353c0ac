"""What a plan may have as a target, and what it may ask of it. Checked before anything is sent.

A target is the built-in demo, invented counts ("simulated?pods=200&cv=0.1&seed=1") or a URL; asked of it are method,
headers and body, or what a locustfile sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from scale_app.domain.cluster import service_ref
from scale_app.domain.errors import PlanError
from scale_app.domain.numerics import np
from scale_app.domain.secret import VALUE, check_references, check_secret_header

DEMO_TARGET = "demo"
SIMULATED_TARGET = "simulated"
ACCEPTED = "simulated?pods=1..1000&cv=0..1&seed=0..4294967295, each at most once"
LEAST_WEIGHT = 0.02


@dataclass(frozen=True, slots=True)
class SimulatedTarget:
    """What is invented. Same target, same counts.

    pods: how many (1..1,000). cv: coefficient of variation of the pods' weights (0..1). seed: of all chance.
    """

    pods: int = 10
    cv: float = 0.1
    seed: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"simulated-{number:04d}" for number in range(1, self.pods + 1))

    def weights(self) -> np.ndarray:
        """Chance of each pod to be picked, shape (pods,), summing to 1."""
        deviates = np.random.default_rng(self.seed).normal(size=self.pods)
        spread = deviates.std()
        standard = (deviates - deviates.mean()) / spread if spread > 0 else np.zeros(self.pods)
        weights = np.maximum(1 + self.cv * standard, LEAST_WEIGHT)
        return np.asarray(weights / weights.sum())


def parse_simulated(url: str) -> SimulatedTarget:
    """The target that "simulated?pods=200&cv=0.1&seed=1" means; each part may be left out. Raises PlanError."""
    name, _, query = url.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        asked = dict(pairs)
        known = name == SIMULATED_TARGET and len(asked) == len(pairs) and asked.keys() <= {"pods", "cv", "seed"}
        target = SimulatedTarget(int(asked.get("pods", 10)), float(asked.get("cv", 0.1)), int(asked.get("seed", 1)))
    except ValueError:
        raise PlanError("target_url", url, ACCEPTED) from None
    if not known or not (1 <= target.pods <= 1_000 and 0 <= target.cv <= 1 and 0 <= target.seed < 2**32):
        raise PlanError("target_url", url, ACCEPTED)
    return target


def is_demo(target_url: str) -> bool:
    return target_url == DEMO_TARGET


def is_simulated(target_url: str) -> bool:
    return target_url.partition("?")[0] == SIMULATED_TARGET


def check_target(target_url: str) -> None:
    """Raise PlanError unless the target is "demo", "simulated..." or a usable http(s) URL. Sends nothing."""
    if not isinstance(target_url, str) or not target_url.strip():
        raise PlanError("target_url", target_url, 'give "demo" or a URL such as http://api.shop.svc:8080/')
    if is_demo(target_url):
        return
    if is_simulated(target_url):
        parse_simulated(target_url)
        return
    _check_url(target_url)


def _check_url(target_url: str) -> None:
    if len(target_url) > 2_000 or re.search(r"[\x00-\x20\x7f]", target_url):
        raise PlanError("target_url", target_url, "a URL has at most 2,000 characters and no spaces")
    try:
        parts = urlsplit(target_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise PlanError("target_url", target_url, f"it is not a URL ({error})") from None
    if parts.scheme not in ("http", "https"):
        raise PlanError("target_url", target_url, "it must begin with http:// or https://")
    if not host or port == 0:
        raise PlanError("target_url", target_url, "it must name a host, and a port from 1 to 65535 if any")
    if parts.username is not None or parts.password is not None:
        raise PlanError("target_url", "(hidden)", "leave user name and password out of the URL")


def check_service(service: str, target_url: str) -> None:
    if service == "":
        return
    service_ref(service)
    if is_demo(target_url) or is_simulated(target_url):
        raise PlanError("service", service, "leave it empty for this target, whose pods are known")


USER_AGENT = "scale-load-test"
LOAD_HEADER = "X-Scale-Load"
"""In every request of the load: by it a server of ours knows what came back to it through proxies or Services."""
LOOP_STATUS = 508
"""What it answers to them."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
IDEMPOTENT_METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
"""Those whose request may be sent again when a connection turns out to be closed (RFC 9110, 9.2.2)."""
OUR_HEADERS = ("connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", LOAD_HEADER.lower())
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
MOST_HEADERS = 50
MOST_HEADER_BYTES = 8_192
MOST_BODY_BYTES = 2**20

MOST_CA_BYTES = 256 * 2**10
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def check_request(method: object, headers: object, body: object) -> None:
    """Raise PlanError for the first of them that cannot be sent."""
    if method not in METHODS:
        raise PlanError("method", method, f"one of {', '.join(METHODS)}")
    if not isinstance(body, str) or len(body.encode()) > MOST_BODY_BYTES:
        raise PlanError("body", "(too long)" if isinstance(body, str) else body, "text of at most 1 MiB")
    if not isinstance(headers, Mapping) or len(headers) > MOST_HEADERS:
        raise PlanError("headers", "(not shown)", f"at most {MOST_HEADERS} names with their values")
    for name, value in headers.items():
        _check_header(name, value)
    if len(hosts := [name for name in headers if name.lower() == "host"]) > 1:
        # Proxy and pod may each believe another.
        raise PlanError("headers", hosts[1], "Host once, whether in capitals or not")
    check_references("body", body)


def check_authorities(pem: object) -> None:
    """Raise PlanError unless this is "" or certificates in PEM."""
    if pem == "":
        return
    accepted = "certificates in PEM, at most 256 KiB"
    if not isinstance(pem, str) or len(pem) > MOST_CA_BYTES or "-----BEGIN CERTIFICATE-----" not in pem:
        raise PlanError("ca_pem", "(not shown)", accepted)
    if "PRIVATE KEY" in pem:
        raise PlanError("ca_pem", "(not shown)", f"{accepted}, without any private key")


def _check_header(name: object, value: object) -> None:
    if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
        raise PlanError("headers", name, "a request header's name such as Accept-Language")
    if name.lower() in OUR_HEADERS:
        raise PlanError("headers", name, "this header is set by the load generator itself")
    if not isinstance(value, str) or len(value) > MOST_HEADER_BYTES or not VALUE.fullmatch(value):
        # The value may be a secret: it is not repeated.
        raise PlanError("headers", name, "its value must be printable ASCII of at most 8,192 characters")
    if name.lower() == "host" and not _HOST.fullmatch(value):
        raise PlanError("headers", name, "its value must be one host, with a port perhaps, such as shop.example:8080")
    check_references("headers", value)
    check_secret_header(name, value)


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
