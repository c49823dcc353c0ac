"""The token with which commands ask a server: from the environment or a file, never an argument, which others on the
machine could read in the list of processes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from scale_app.domain.errors import SettingsError
from scale_app.settings import read_secret

TOKEN_FROM = (
    "This command takes its token from SCALE_TOKEN, or from the file that SCALE_TOKEN_FILE names; make one on the "
    "server's page Tokens."
)
TOKEN = re.compile(r"[\x21-\x7e]+")
"""Anything that can stand in a header: a proxy in front of the server may ask for a token of its own kind."""


def bearer_header(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The header that names the caller to a server, none without a token. Raises SettingsError."""
    token = read_secret(environment, "SCALE_TOKEN")
    if not token:
        return {}
    if not TOKEN.fullmatch(token):
        raise SettingsError(
            "SCALE_TOKEN is not accepted: a token is one word of ASCII characters, such as scale_1a2b_... (the value "
            "is not shown)."
        )
    return {"Authorization": f"Bearer {token}"}
