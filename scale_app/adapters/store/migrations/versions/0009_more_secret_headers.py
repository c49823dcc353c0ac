"""Values of more headers that count as secret now, such as X-Signature and DPoP, leave the plans that hold them."""

import re

from alembic import op

from scale_app.adapters.store.hidden_headers import hide_headers

revision = "0009"
down_revision = "0008"

SECRET = re.compile(
    r"(^|-)(o?auth(orization|entication)?|bearer|dpop|hmac|assertion|wsse|otp|totp|csrf|xsrf|sig|pwd)(-|$)"
    r"|cookie|token|secret|pass(w|phrase|code)|credential|jwt|api-?key|access-?key"
    r"|(^|-)signature(-[a-z]*[0-9]+)?$|(^|-)key$|^x-.*key$"
)
READABLE = re.compile(
    r"(^|-)(idempotency|cache|surrogate|routing|partition|shard|sharding|hash|sort|message|public|sec-websocket)-?key$"
)


def is_secret(name: str) -> bool:
    plain = name.lower().replace("_", "-")
    return bool(SECRET.search(plain)) and not READABLE.search(plain)


def upgrade() -> None:
    hide_headers(op.get_bind(), is_secret)
