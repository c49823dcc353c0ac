"""The history of runs in one SQL database: SQLite out of the box, PostgreSQL by setting the URL."""

from scale_app.adapters.store.access import SqlAccessStore
from scale_app.adapters.store.leases import SqlLeases
from scale_app.adapters.store.store import SqlRunStore
from scale_app.adapters.store.tables import is_current, migrate

__all__ = ["SqlAccessStore", "SqlLeases", "SqlRunStore", "is_current", "migrate"]
