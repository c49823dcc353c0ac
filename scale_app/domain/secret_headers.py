"""Headers whose value is nobody's business, known by their names: a plan may only name it, as a secret.

A rule, since every product has a name of its own, and a list of what the rule would hide and everybody may see.
"""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"(^|-)(o?auth(orization|entication)?|bearer|dpop|hmac|assertion|wsse|otp|totp|csrf|xsrf|sig|pwd)(-|$)"
    r"|cookie|token|secret|pass(w|phrase|code)|credential|jwt|api-?key|access-?key"
    r"|(^|-)signature(-[a-z]*[0-9]+)?$|(^|-)key$|^x-.*key$"
)
_READABLE = re.compile(
    r"(^|-)(idempotency|cache|surrogate|routing|partition|shard|sharding|hash|sort|message|public|sec-websocket)-?key$"
)


def is_secret_header(name: str) -> bool:
    """Does a header of this name hold a secret: Authorization, X-Auth, X-Signature-256, Ocp-Apim-Subscription-Key?"""
    plain = name.lower().replace("_", "-")
    return bool(_SECRET.search(plain)) and not _READABLE.search(plain)
