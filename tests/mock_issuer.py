"""An identity provider on loopback, as strict as a real one, that tells lies when a test asks it to."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.serving import Served, build_page, free_port, served

CLIENT_ID, CLIENT_SECRET = "scale", "a secret of client and issuer, with a % and a :"
Claims = dict[str, Any]
Signer = Callable[[Claims], str]


@cache
def a_key(_name: str) -> RSAKey:
    """One per name: to make one takes half a second."""
    return RSAKey.generate_key(2048)


@dataclass
class MockIssuer:
    """claims: what the next ID tokens say of the person, over the usual. without: claims that are left out.

    key, kid: what signs. published: what its key set holds. signer: writes the ID token, None for the right way.
    says: what discovery says, over the usual. away: every answer is 503. asked: paths, in order.
    """

    url: str = ""
    claims: Claims = field(default_factory=lambda: {"email": "ada@example.org", "groups": ["sre"]})
    without: tuple[str, ...] = ()
    kid: str = "first"
    key: RSAKey = field(default_factory=lambda: a_key("first"))
    published: list[dict[str, Any]] | None = None
    signer: Signer | None = None
    says: dict[str, Any] = field(default_factory=dict)
    away: bool = False
    now_epoch_s: Callable[[], float] = time.time
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def discovery(self) -> dict[str, Any]:
        usual = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
        return usual | self.says

    def keys(self) -> dict[str, Any]:
        own = [{**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": "RS256"}]
        return {"keys": own if self.published is None else self.published}

    def authorize(self, asked: Mapping[str, str]) -> str:
        """The person agrees at once; where the browser goes then."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        code = secrets.token_urlsafe(16)
        self._codes[code] = dict(asked)
        glue = "&" if "?" in asked["redirect_uri"] else "?"
        return asked["redirect_uri"] + glue + urlencode({"code": code, "state": asked["state"]})

    def exchange(self, asked: Mapping[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Each code once, for who began with it."""
        if not self._is_client(asked, authorization):
            return 401, {"error": "invalid_client"}
        begun = self._codes.pop(asked.get("code", ""), None)
        if begun is None or begun["redirect_uri"] != asked.get("redirect_uri") or not _proves(asked, begun):
            return 400, {"error": "invalid_grant"}
        claims = self.usual(begun) | self.claims
        token = (self.signer or self.sign)({name: v for name, v in claims.items() if name not in self.without})
        return 200, {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": token,
        }

    def usual(self, begun: Mapping[str, str]) -> Claims:
        now = int(self.now_epoch_s())
        usual = {"iss": self.url, "sub": "u-1", "aud": CLIENT_ID, "iat": now, "exp": now + 300, "email_verified": True}
        return usual | ({"nonce": begun["nonce"]} if "nonce" in begun else {})

    def sign(self, claims: Claims) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.kid}, claims, self.key)

    def unsigned(self, claims: Claims) -> str:
        """By the algorithm "none"."""
        return f"{_part({'alg': 'none', 'kid': self.kid})}.{_part(claims)}."

    def signed_by_the_public_key(self, claims: Claims) -> str:
        """As if the public key, which everybody knows, were a secret."""
        text = f"{_part({'alg': 'HS256', 'kid': self.kid})}.{_part(claims)}"
        return f"{text}.{_bytes(hmac.digest(self.key.as_pem(private=False), text.encode(), 'sha256'))}"

    def signed_by_another_key(self, claims: Claims) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.kid}, claims, a_key("another"))

    def _is_client(self, asked: Mapping[str, str], authorization: str) -> bool:
        if authorization.startswith("Basic "):
            name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            return (name, unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET) or (name, secret) == (
                CLIENT_ID,
                CLIENT_SECRET,
            )
        return (asked.get("client_id"), asked.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)


@contextlib.contextmanager
def mock_issuer() -> Iterator[MockIssuer]:
    """Serves until the block ends."""
    issuer = MockIssuer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OfThisIssuer", (Handler,), {"issuer": issuer}))
    server.daemon_threads = True
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """issuer: set in a class of its own for each server."""

    issuer: MockIssuer

    def do_GET(self) -> None:
        path, documents = (
            self._noted(),
            {"/.well-known/openid-configuration": self.issuer.discovery, "/keys": self.issuer.keys},
        )
        if self.issuer.away or path not in ("/authorize", *documents):
            self._json(503 if self.issuer.away else 404, {})
        elif path == "/authorize":
            self._redirect(self.issuer.authorize(_flat(urlsplit(self.path).query)))
        else:
            self._json(200, documents[path]())

    def do_POST(self) -> None:
        self._noted()
        asked = _flat(self.rfile.read(int(self.headers["Content-Length"])).decode())
        away = (503, {})
        self._json(*(away if self.issuer.away else self.issuer.exchange(asked, self.headers.get("Authorization", ""))))

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on the screen."""

    def _noted(self) -> str:
        self.issuer.asked.append(path := urlsplit(self.path).path)
        return path

    def _redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _proves(asked: Mapping[str, str], begun: Mapping[str, str]) -> bool:
    """PKCE, where it was begun with."""
    if "code_challenge" not in begun:
        return True
    digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
    return begun["code_challenge_method"] == "S256" and _bytes(digest) == begun["code_challenge"]


def _flat(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _part(value: object) -> str:
    return _bytes(json.dumps(value).encode())


def _bytes(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


@contextlib.contextmanager
def signing_in(issuer: MockIssuer, scratch: Path, port: int = 0, database_url: str = "") -> Iterator[Served]:
    """A real server at which people sign in by this issuer: staff are viewers, sre operators, platform admins.

    port: 0 for any that is free. database_url: "" for one in `scratch`.
    """
    build_page()
    port = port or free_port()
    own = {
        "SCALE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SCALE_OIDC_ISSUER": issuer.url,
        "SCALE_OIDC_CLIENT_ID": CLIENT_ID,
        "SCALE_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "SCALE_ROLES": "viewer=staff,operator=sre,admin=platform",
    } | ({"SCALE_DATABASE_URL": database_url} if database_url else {})
    with served(environment={**os.environ, **own}, scratch=scratch, port=port) as running:
        yield running
