"""Which engine does a job."""

from __future__ import annotations

# Locust comes first: it patches sockets and ssl, and whatever was imported before would keep the old ones.
from scale_app.worker.engine import Engine, OwnEngine  # isort: skip

from scale_app.worker.job import Job
from scale_app.worker.locustfile import FileEngine


def engine_of(job: Job) -> Engine:
    """Raises PlanError or ValueError for a job that cannot be done here."""
    return FileEngine(job) if job.plan.locustfile else OwnEngine(job)
