"""The history of runs in one SQL database: SQLite out of the box, PostgreSQL by setting the URL."""

from scale_app.adapters.store.migrate import migrate
from scale_app.adapters.store.store import SqlRunStore

__all__ = ["SqlRunStore", "migrate"]
