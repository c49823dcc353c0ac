"""A token in a URL is refused: proxies log URLs, browsers keep them, and pages pass them on."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

OURS = re.compile(rb"scale_[0-9a-f]{12}_|(^|[?&;])access_token=")
TOKEN_IN_URL = (
    "The request has a token in its URL, where others can read it, and was refused. Send it as Authorization: Bearer "
    "..., and revoke it, since it may be in a log now."
)


def has_token_in_url(scope: Scope) -> bool:
    """Is there a token of ours in the path or the query, or what is said to be one?"""
    query, path = scope.get("query_string", b""), scope["path"].encode(errors="replace")
    return bool(OURS.search(unquote_to_bytes(query)) or OURS.search(path))
