"""Where worker processes find their coordinator: keys, encrypted sockets, and who of other machines is admitted.

Locust's own sockets take orders from anybody who can reach them. These are ZeroMQ's CURVE sockets (RFC 26): the
coordinator lets in nobody but the holder of the workers' key, and a worker speaks to nobody but the holder of the
coordinator's key.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import gevent
import locust
import zmq.green as zmq
from locust.env import Environment
from locust.rpc import Message, zmqrpc
from zmq import curve_keypair, curve_public
from zmq.utils import z85

from scale_app.codec import to_json
from scale_app.settings import WorkerListener
from scale_app.worker.locust_compat import Master, hear, use_sockets
from scale_app.worker.redaction import redacted
from scale_app.worker.steering import CannotBegin
from scale_app.worker.traffic import Assignment

LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "*")
PROMISE_KEPT_S = 10.0
PACKAGE = Path(__file__).parents[1]
SHARED = ("codec/*.py", "child_process/*.py", "domain/**/*.py", "worker/*.py")
MOST_MESSAGE_BYTES = 64 * 2**20
HANDSHAKE_MS = 5_000
COUNTS = ("counted", "finished")
"""Messages that are large and have passed already."""
ZAP_ENDPOINT = "inproc://zeromq.zap.01"


@dataclass(frozen=True, slots=True)
class Keys:
    """CURVE keys in Z85. Both sides hold all four, which makes them equals: who knows them is let in."""

    coordinator: bytes
    coordinator_secret: bytes
    workers: bytes
    workers_secret: bytes


def fresh_keys() -> Keys:
    """For the processes of one run on one machine: they inherit them by being forked."""
    return Keys(*curve_keypair(), *curve_keypair())


def keys_of(secret: str) -> Keys:
    """The same keys wherever the same secret is known. Deriving them is slow, so that guessing is."""

    def derived(role: bytes) -> tuple[bytes, bytes]:
        raw = hashlib.scrypt(secret.encode(), salt=b"scale 1 " + role, n=2**14, r=8, p=1, dklen=32)
        private = z85.encode(raw)
        return curve_public(private), private

    return Keys(*derived(b"master"), *derived(b"worker"))


class EncryptedSocket(zmqrpc.BaseSocket):
    """Locust's socket with bounds for what a peer may do to it."""

    def __init__(self, kind: int, host: str, port: int) -> None:
        zmqrpc.BaseSocket.__init__(self, kind, self.ipv4_only(host, port))
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_MESSAGE_BYTES)
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)


class EncryptedServer(EncryptedSocket):
    """In the place of Locust's server socket. port: 0 for any; afterwards the one that it listens at."""

    def __init__(self, keys: Keys, host: str, port: int) -> None:
        super().__init__(zmq.ROUTER, host, port)
        socket = self.socket
        authenticator = socket.context.socket(zmq.REP)
        authenticator.bind(ZAP_ENDPOINT)  # before anybody can knock: without it ZeroMQ lets every key in
        gevent.spawn(_admit, authenticator, z85.decode(keys.workers))
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = keys.coordinator, keys.coordinator_secret
        socket.zap_domain = b"scale"
        socket.bind(f"tcp://{host}:{port or '*'}")
        self.port = int(socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0").rpartition(":")[2])


def _admit(authenticator: Any, workers: bytes) -> None:
    """Answers ZeroMQ's question who may connect (ZAP, RFC 27), for ever. workers: the one key that may."""
    while True:
        _, request, _, _, _, mechanism, *credentials = authenticator.recv_multipart()
        known = mechanism == b"CURVE" and len(credentials) == 1 and hmac.compare_digest(credentials[0], workers)
        status = (b"200", b"OK") if known else (b"400", b"unknown key")
        authenticator.send_multipart([b"1.0", request, *status, b"worker", b""])


class EncryptedClient(EncryptedSocket):
    """In the place of Locust's client socket."""

    def __init__(self, keys: Keys, host: str, port: int, identity: str) -> None:
        super().__init__(zmq.DEALER, host, port)
        socket = self.socket
        socket.curve_serverkey = keys.coordinator
        socket.curve_publickey, socket.curve_secretkey = keys.workers, keys.workers_secret
        socket.setsockopt(zmq.IDENTITY, identity.encode())
        socket.connect(f"tcp://{host}:{port}")

    def send(self, msg: Message) -> None:
        """Without any secret, such as in an error that Locust tells its master of. Counts have none: see Counters."""
        if msg.type not in COUNTS:
            msg.data = redacted.all_of(msg.data)
        super().send(msg)


def encrypt_sockets(keys: Keys) -> None:
    """From now on this process's Locust speaks to holders of the keys only."""
    use_sockets(server=partial(EncryptedServer, keys), client=partial(EncryptedClient, keys))


@dataclass(frozen=True, slots=True)
class Listener:
    """host, port: where the coordinator listens; port 0 for any."""

    keys: Keys
    host: str
    port: int

    @property
    def local(self) -> str:
        """The address for processes of this machine."""
        return LOOPBACK if self.host in EVERYWHERE else self.host

    def open(self, environment: Environment) -> Master:
        """The master, listening. Raises CannotBegin."""
        try:
            return Master(environment, self.host, self.port)
        except zmq.ZMQError as error:
            raise CannotBegin(
                f"Remote workers cannot be met at {self.host}:{self.port} ({error}): another run with such "
                "workers is going on, or SCALE_WORKER_LISTEN names an address that this machine does not have."
            ) from None

    def nobody_came(self, came: int, within_s: float) -> str:
        """A sentence for a run that lacks workers of other machines."""
        return (
            f"Only {came} of the workers of other machines that the plan asks for joined at {self.host}:{self.port} "
            f"within {within_s:g} s: start `scale worker --master` there, with the same secret and the same version."
        )


def listener_for(workers: WorkerListener | None) -> Listener:
    """Open to holders of the installation's secret when the plan wants them, else to this run's own processes only.

    Raises CannotBegin.
    """
    if workers is None:
        return Listener(fresh_keys(), LOOPBACK, 0)
    if not workers.listen:
        raise CannotBegin("Remote workers were asked for, but SCALE_WORKER_LISTEN is not set here.")
    host, _, port = workers.listen.rpartition(":")
    return Listener(keys_of(workers.secret), host.strip("[]"), int(port))


class WorkerAdmission:
    """Gives the assignment to as many remote worker processes as are missing. Only holders of the keys get here."""

    def __init__(self, assignment: Assignment, master: Master, missing: Callable[[], int]) -> None:
        """missing: how many processes of other machines the run lacks now."""
        self._assignment = to_json(assignment)
        self._master = master
        self._missing = missing
        self._promised_until_s: list[float] = []
        hear(master, hello=self._hello)

    def arrived(self) -> None:
        """One of those that were given the assignment has joined."""
        if self._promised_until_s:
            self._promised_until_s.pop(0)

    def _hello(self, msg: Message, **_: object) -> None:
        theirs, ours = str(msg.data["version"]), code_version()
        if theirs != ours:
            refusal = f"This worker runs {theirs}, its master {ours}: install the same version of Scale on both."
            self._master.send_message("refused", {"sentence": refusal}, msg.node_id)
            return
        now_s = time.monotonic()
        self._promised_until_s = [until_s for until_s in self._promised_until_s if until_s > now_s]
        places = min(int(msg.data["processes"]), self._missing() - len(self._promised_until_s))
        if places > 0:
            self._promised_until_s += [now_s + PROMISE_KEPT_S] * places
            self._master.send_message("assignment", {"assignment": self._assignment, "places": places}, msg.node_id)
        else:
            self._master.send_message("full", None, msg.node_id)


@cache
def code_version() -> str:
    """Of Locust, and of what coordinator and workers must have in common."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SHARED for path in PACKAGE.glob(pattern)):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return f"Locust {locust.__version__}, code {digest.hexdigest()[:12]}"
