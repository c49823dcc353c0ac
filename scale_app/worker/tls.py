"""TLS between a socket's bytes and HTTP's: in memory, so that sockets are read and written in one way only."""

from __future__ import annotations

import ssl

RECORDS_BYTES = 65_536


def tls_context(verify: bool = True, ca_pem: str = "") -> ssl.SSLContext:
    """Certificates and names are verified against the system's authorities, or against those of `ca_pem` alone.

    SSL_CERT_FILE overrides the system's. Raises ssl.SSLError or ValueError for text that is no certificate.
    """
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TlsSession:
    """One connection's TLS. Every method that may produce bytes for the peer leaves them in `outgoing`."""

    __slots__ = ("_inbound", "_outbound", "_session", "established")

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._inbound = ssl.MemoryBIO()
        self._outbound = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._inbound, self._outbound, server_hostname=name)
        self.established = False

    def shake_hands(self, received: bytes | None = None) -> bool:
        """Go on with the handshake; b"" means that the peer closed. True when it is done. Raises ssl.SSLError."""
        if received is not None:
            self._take(received)
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    def outgoing(self) -> bytes:
        """Bytes for the peer, b"" when there are none."""
        return self._outbound.read() if self._outbound.pending else b""

    def encrypt(self, data: bytes) -> bytes:
        """The bytes to send for these. Raises ssl.SSLError."""
        self._session.write(data)
        return self._outbound.read()

    def decrypt(self, received: bytes) -> bytes | None:
        """What the received bytes said: None when nothing yet, b"" when the peer has closed. Raises ssl.SSLError."""
        self._take(received)
        said: list[bytes] = []
        try:
            while self._inbound.pending or self._session.pending() or not said:
                said.append(self._session.read(RECORDS_BYTES))
        except ssl.SSLWantReadError:
            return b"".join(said) if said else None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b"".join(said)
        return said[0] if len(said) == 1 else b"".join(said)

    def _take(self, received: bytes) -> None:
        if received:
            self._inbound.write(received)
        else:
            self._inbound.write_eof()
