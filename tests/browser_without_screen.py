"""A browser without a screen: keeps cookies and follows redirects, as a person's does."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request
from collections.abc import Mapping

from websockets.asyncio.client import connect

A_PAGE = {"Accept": "text/html"}


class Browser:
    """Of one person."""

    def __init__(self) -> None:
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    def ask(
        self, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, method: str | None = None
    ) -> tuple[int, bytes, str]:
        """Status and body of the last answer, and where that was."""
        request = urllib.request.Request(url, body, {**A_PAGE, **(headers or {})}, method=method)
        try:
            with self._opener.open(request, timeout=20) as answer:
                return answer.status, answer.read(), answer.url
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read(), answer.url

    @property
    def cookies(self) -> str:
        """As a Cookie header."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)

    def post(self, url: str, value: object) -> tuple[int, bytes]:
        """Send JSON."""
        status, body, _ = self.ask(url, json.dumps(value).encode(), {"Content-Type": "application/json"}, "POST")
        return status, body

    def socket(self, url: str) -> connect:
        """A WebSocket with the browser's cookies."""
        return connect(url.replace("http", "ws", 1), additional_headers={"Cookie": self.cookies}, proxy=None)
