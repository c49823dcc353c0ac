"""/auth/login, /auth/callback and /auth/logout: the way of a browser to the identity provider and back."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from scale_app.api.plain_page import WayOn, plain_page
from scale_app.domain.errors import ScaleError, StoreUnavailable
from scale_app.domain.identity import WithoutRole
from scale_app.domain.sign_in import SignInAttempt, SignInRefused, SignInUnavailable, path_here
from scale_app.service.browser_sessions import SESSION_S
from scale_app.service.sign_in import ATTEMPT_S, CALLBACK, SignInFlow

LOGIN, LOGOUT = "/auth/login", "/auth/logout"
NO_STORE = {"Cache-Control": "no-store"}
STATUS: Mapping[type[ScaleError], int] = {
    SignInRefused: 400,
    WithoutRole: 403,
    SignInUnavailable: 503,
    StoreUnavailable: 503,
}
RANDOM = r"[A-Za-z0-9_-]{43}"
ATTEMPT = re.compile(rf"({RANDOM})\.({RANDOM})\.({RANDOM})\.([A-Za-z0-9_-]*)")
LONGEST_CODE = 4_096
AGAIN, LATER = WayOn("Sign in again", LOGIN), WayOn("Try again", LOGIN)
ANOTHER = WayOn("Sign in as somebody else", LOGIN)
BACK = WayOn("Back to Scale", "/")
TOLD: Mapping[type[ScaleError], tuple[str, WayOn]] = {
    SignInRefused: ("Not signed in", AGAIN),
    WithoutRole: ("No role here", ANOTHER),
    SignInUnavailable: ("Nobody can sign in now", LATER),
    StoreUnavailable: ("Nobody can sign in now", LATER),
}
SIGNED_OUT = (
    "You are signed out of Scale. The identity provider may still know you: on a shared machine, sign out there too."
)


class SignInRoutes:
    """What browsers ask for."""

    def __init__(self, flow: SignInFlow) -> None:
        self._flow = flow
        self._sessions = flow.sessions
        self._attempt = f"{flow.sessions.cookie}-sign-in"

    def routes(self) -> list[Route]:
        return [
            Route(LOGIN, self._login, methods=["GET"]),
            Route(CALLBACK, self._callback, methods=["GET"]),
            Route(LOGOUT, self._logout, methods=["POST"]),
        ]

    async def _login(self, request: Request) -> Response:
        try:
            attempt, address = await self._flow.begin(request.query_params.get("next", "/"))
        except SignInUnavailable as error:
            return _refusal(error)
        answer = RedirectResponse(address, 303, NO_STORE)
        self._set(answer, self._attempt, _packed(attempt), ATTEMPT_S)
        return answer

    async def _callback(self, request: Request) -> Response:
        attempt = _unpacked(request.cookies.get(self._attempt, ""))
        try:
            state, code = _brought(request)
        except SignInRefused as error:
            self._flow.note_refused(error.reason, _address(request))
            return await self._refused(request, error)
        try:
            secret = await self._flow.finish(attempt, state, code, _address(request))
        except (SignInRefused, WithoutRole, SignInUnavailable, StoreUnavailable) as error:
            return await self._refused(request, error)
        answer = RedirectResponse(attempt.target if attempt else "/", 303, NO_STORE)
        self._set(answer, self._sessions.cookie, secret, SESSION_S)
        self._drop(answer, self._attempt)
        return answer

    async def _refused(self, request: Request, error: ScaleError) -> Response:
        """Somebody who signed in meanwhile, in another tab or by going back, is where the person wanted to be."""
        if isinstance(error, SignInRefused) and await self._signed_in(request):
            return RedirectResponse("/", 303, NO_STORE)
        answer = _refusal(error)
        self._drop(answer, self._attempt)
        return answer

    async def _signed_in(self, request: Request) -> bool:
        try:
            return await self._sessions.principal(self._sessions.secret_in(_cookies(request))) is not None
        except StoreUnavailable:
            return False

    async def _logout(self, request: Request) -> Response:
        try:
            await self._flow.end(self._sessions.secret_in(_cookies(request)), _address(request))
        except StoreUnavailable as error:
            still = f"The session could not be ended: {error}"
            return _page(STATUS[type(error)], "Still signed in", still, BACK)
        answer = _page(200, "Signed out", SIGNED_OUT, AGAIN)
        self._drop(answer, self._sessions.cookie)
        return answer

    def _set(self, answer: Response, name: str, value: str, seconds: float) -> None:
        """seconds: for how long; 0 takes the cookie away."""
        secure = self._sessions.secure
        answer.set_cookie(name, value, int(seconds), path="/", secure=secure, httponly=True, samesite="lax")

    def _drop(self, answer: Response, name: str) -> None:
        self._set(answer, name, "", 0)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _cookies(request: Request) -> str:
    return "; ".join(request.headers.getlist("cookie"))


def _brought(request: Request) -> tuple[str, str]:
    """State and code. Raises SignInRefused."""
    asked = request.query_params
    if "error" in asked:
        raise SignInRefused(f"the identity provider said {asked['error'][:200]!a}")
    state, code = asked.getlist("state"), asked.getlist("code")
    if len(state) != 1 or len(code) != 1 or len(code[0]) > LONGEST_CODE:
        raise SignInRefused("the way back brought no state and code")
    return state[0], code[0]


def _packed(attempt: SignInAttempt) -> str:
    target = base64.urlsafe_b64encode(attempt.target.encode()).decode().rstrip("=")
    return ".".join((attempt.state, attempt.nonce, attempt.verifier, target))


def _unpacked(text: str) -> SignInAttempt | None:
    """None for what is no attempt. Its target is a path here even where somebody else wrote the cookie."""
    if not (found := ATTEMPT.fullmatch(text)):
        return None
    state, nonce, verifier, packed = found.groups()
    try:
        target = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except ValueError:
        target = "/"
    return SignInAttempt(state, nonce, verifier, path_here(target))


def _refusal(error: ScaleError) -> Response:
    title, way_on = TOLD[type(error)]
    return _page(STATUS[type(error)], title, str(error), way_on)


def _page(status: int, title: str, sentence: str, way_on: WayOn) -> Response:
    return HTMLResponse(plain_page(title, sentence, way_on), status, NO_STORE)
