"""The Locust user that sends the load: closed loop, one connection at a time, everything counted by the tally."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import gevent  # type: ignore[import-untyped]
from gevent.pool import Group  # type: ignore[import-untyped]
from locust import User, task
from locust.exception import StopUser

from scale_app.domain.plan import LoadPlan
from scale_app.worker.causes import TIMEOUT, RequestFailed
from scale_app.worker.connection import Connection, Connector, StaleConnection
from scale_app.worker.destination import Destination
from scale_app.worker.tally import Tally

BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 2.0
MOST_SPREAD_S = 1.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all users share. draining: greenlets of stopped users whose last request is still in flight."""

    plan: LoadPlan
    destination: Destination
    connector: Connector
    tally: Tally
    draining: Group


class ClosedLoopUser(User):
    """Sends a request, waits for its answer, thinks, sends the next. `user_class` makes a concrete one."""

    abstract = True
    traffic: Traffic

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        self._connection: Connection | None = None
        self._in_flight = False
        self._stopping = False
        self._backoff_s = 0.0

    @task
    def send_load(self) -> None:
        """The user's whole life."""
        plan = self.traffic.plan
        try:
            # Locust starts a second's users in one instant; without this they would stay in step and wait for
            # one another, which is no latency of the target.
            gevent.sleep(random.uniform(0, min(plan.think_time_s, MOST_SPREAD_S)))
            while not self._stopping:
                self._request()
                pause_s = self._backoff_s or plan.think_time_s
                if pause_s and not self._stopping:
                    gevent.sleep(pause_s)
        finally:
            self._disconnect()
        raise StopUser

    def stop(self, force: bool = False) -> bool:
        """Start no new request. A request in flight goes on outside of Locust's group, so that Locust does not wait.

        Locust would otherwise block a ramp-down, and count users that are leaving as if they were still there.
        """
        self._stopping = True
        if not self._in_flight:
            return bool(super().stop(force=True))
        self._group.discard(self._greenlet)
        self.traffic.draining.add(self._greenlet)
        return True

    def _request(self) -> None:
        """One request, from its begin to its count. The deadline covers connecting and sending again."""
        tally = self.traffic.tally
        began_s = time.perf_counter()
        self._in_flight = True
        deadline = gevent.Timeout.start_new(self.traffic.plan.timeout_s)
        try:
            connection = self._exchange()
        except gevent.Timeout as passed:
            if passed is not deadline:
                raise
            self._failed(TIMEOUT, began_s)
        except RequestFailed as failed:
            self._failed(failed.cause, began_s)
        else:
            answer = connection.answer
            latency_s = time.perf_counter() - began_s
            tally.answered(connection.carried, answer.pod, answer.status, latency_s, answer.body_bytes)
            self._backoff_s = 0.0
            if not answer.reusable or self._is_last(connection):
                self._disconnect()
        finally:
            deadline.close()
            self._in_flight = False

    def _exchange(self) -> Connection:
        connection = self._connection
        if connection is not None and self.traffic.plan.think_time_s and connection.spoke_while_idle():
            self._disconnect()
            connection = None
        if connection is not None:
            try:
                return self._send_on(connection)
            except StaleConnection:
                self._disconnect()
        connection = self._connection = self.traffic.connector.open()
        return self._send_on(connection)

    def _send_on(self, connection: Connection) -> Connection:
        destination = self.traffic.destination
        last = self.traffic.plan.requests_per_connection == connection.carried.answers + 1
        connection.exchange(destination.last_request if last else destination.request)
        return connection

    def _is_last(self, connection: Connection) -> bool:
        return connection.carried.answers == self.traffic.plan.requests_per_connection

    def _failed(self, cause: str, began_s: float) -> None:
        self.traffic.tally.unanswered(cause, time.perf_counter() - began_s)
        self._backoff_s = min(self._backoff_s * 2 or BACKOFF_FIRST_S, BACKOFF_MOST_S)
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def user_class(shared: Traffic) -> type[ClosedLoopUser]:
    """The class for Locust to make users of; Locust gives them nothing but their environment."""

    class PlannedUser(ClosedLoopUser):
        abstract = False
        traffic = shared

    return PlannedUser
