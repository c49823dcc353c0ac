"""How a person signs in with a browser at an identity provider: what is begun, who came back, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.errors import ScaleError

LONGEST_TARGET = 1_000


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """One sign-in, from the way to the identity provider to the way back; known to one browser alone.

    state: comes back with the browser. nonce: comes back in the ID token. verifier: of PKCE; only who has it can use
    the code. target: the path here where the browser goes afterwards. All but the target are random.
    """

    state: str
    nonce: str
    verifier: str
    target: str = "/"


class SignInRefused(ScaleError):
    """What the browser brought back proves nothing. reason: for the log of the server; a stranger does not learn it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            "Signing in did not succeed. Start again; if that fails, too, an admin finds the reason in this server's "
            "log."
        )


class SignInUnavailable(ScaleError):
    """The identity provider does not answer as it should. Whoever is signed in stays so."""


def path_here(target: str) -> str:
    """The target where it is a path of this server, else "/".

    What browsers take for another host is none: "//host", "/\\host", and what becomes one of these when they drop tabs
    and line ends.
    """
    ours = target.startswith("/") and target[1:2] not in ("/", "\\") and len(target) <= LONGEST_TARGET
    return target if ours and target.isascii() and target.isprintable() and "\\" not in target else "/"
