"""Values of headers that count as secret now, such as X-Auth, leave the plans that hold them in clear."""

import re

from alembic import op

from scale_app.adapters.store.hidden_headers import hide_headers

revision = "0007"
down_revision = "0006"

SECRET = re.compile(
    r"(^|-)o?auth(orization|entication)?(-|$)|cookie|token|secret|passw|credential|jwt|api-?key|access-?key|^x-.*key$",
    re.IGNORECASE,
)


def upgrade() -> None:
    hide_headers(op.get_bind(), lambda name: bool(SECRET.search(name)))
