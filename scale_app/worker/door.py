"""Where a run's other processes find their master, and which keys they must hold."""

from __future__ import annotations

from dataclasses import dataclass

import zmq
from locust.env import Environment

from scale_app.settings import load_worker_door
from scale_app.worker.force import CannotBegin
from scale_app.worker.master import Master
from scale_app.worker.sealed import Keys, fresh_keys, keys_of

LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "*")


@dataclass(frozen=True, slots=True)
class Door:
    """host, port: where the master listens; port 0 for any."""

    keys: Keys
    host: str
    port: int

    @property
    def near(self) -> str:
        """The address for processes of this machine."""
        return LOOPBACK if self.host in EVERYWHERE else self.host

    def open(self, environment: Environment) -> Master:
        """The master, listening. Raises CannotBegin."""
        try:
            return Master.of(environment, self.host, self.port)
        except zmq.ZMQError as error:
            raise CannotBegin(
                f"Workers of other machines cannot be met at {self.host}:{self.port} ({error}): another run with such "
                "workers is going on, or SCALE_WORKER_LISTEN names an address that this machine does not have."
            ) from None

    def nobody_came(self, came: int, within_s: float) -> str:
        """A sentence for a run that lacks workers of other machines."""
        return (
            f"Only {came} of the workers of other machines that the plan asks for joined at {self.host}:{self.port} "
            f"within {within_s:g} s: start `scale worker --master` there, with the same secret and the same version."
        )


def door_for(remote_workers: int) -> Door:
    """Open to holders of the installation's secret when the plan wants them, else to this run's own processes only.

    Raises CannotBegin.
    """
    if not remote_workers:
        return Door(fresh_keys(), LOOPBACK, 0)
    door = load_worker_door()
    if not door.listen:
        raise CannotBegin("Workers of other machines were asked for, but SCALE_WORKER_LISTEN is not set here.")
    host, _, port = door.listen.rpartition(":")
    return Door(keys_of(door.secret), host.strip("[]"), int(port))
