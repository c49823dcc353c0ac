"""Locust's messages between coordinator and workers, encrypted, and only between those that know the same secret.

Locust's own sockets take orders from anybody who can reach them. These are ZeroMQ's CURVE sockets (RFC 26): the
coordinator lets in nobody but the holder of the workers' key, and a worker speaks to nobody but the holder of the
coordinator's key.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import gevent
import zmq.green as zmq
from locust.rpc import zmqrpc
from zmq import curve_keypair, curve_public
from zmq.utils import z85

from scale_app.worker.locust_compat import use_sockets

MOST_MESSAGE_BYTES = 64 * 2**20
HANDSHAKE_MS = 5_000
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


class EncryptedClient(EncryptedSocket):
    """In the place of Locust's client socket."""

    def __init__(self, keys: Keys, host: str, port: int, identity: str) -> None:
        super().__init__(zmq.DEALER, host, port)
        socket = self.socket
        socket.curve_serverkey = keys.coordinator
        socket.curve_publickey, socket.curve_secretkey = keys.workers, keys.workers_secret
        socket.setsockopt(zmq.IDENTITY, identity.encode())
        socket.connect(f"tcp://{host}:{port}")


@dataclass(frozen=True, slots=True)
class EncryptedRpc:
    """What Locust's runners find under the name `rpc`."""

    keys: Keys

    def Server(self, host: str, port: int) -> EncryptedServer:  # noqa: N802
        return EncryptedServer(self.keys, host, port)

    def Client(self, host: str, port: int, identity: str) -> EncryptedClient:  # noqa: N802
        return EncryptedClient(self.keys, host, port, identity)


def encrypt_sockets(keys: Keys) -> None:
    """From now on this process's Locust speaks to holders of the keys only."""
    use_sockets(EncryptedRpc(keys))


def _admit(authenticator: Any, workers: bytes) -> None:
    """Answers ZeroMQ's question who may connect (ZAP, RFC 27), for ever. workers: the one key that may."""
    while True:
        _, request, _, _, _, mechanism, *credentials = authenticator.recv_multipart()
        known = mechanism == b"CURVE" and len(credentials) == 1 and hmac.compare_digest(credentials[0], workers)
        status = (b"200", b"OK") if known else (b"400", b"unknown key")
        authenticator.send_multipart([b"1.0", request, *status, b"worker", b""])
