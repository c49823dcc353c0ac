"""The kernel's tables of connections."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from scale_app.readings.counters import connection_table

Address = IPv4Address | IPv6Address

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 050113C6:1F90 090112C6:A47E 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 050113C6:1F90 090112C6:A47F 06 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 050113C6:C000 090112C6:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4 1
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 0000000000000000FFFF0000050113C6:1F90 0000000000000000FFFF0000090112C6:A480 01 0:0
   1: B80D01200000000000000000050000FD:1F90 B80D01200000000000000000010000FD:A481 01 0:0
"""
SNMP = """Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm ActiveOpens PassiveOpens
Tcp: 1 7 42
"""


def test_established_connections_to_the_port_are_listed_by_their_client() -> None:
    table = connection_table(TCP + TCP6 + SNMP, {8080})
    assert table.clients == (
        "198.18.1.9:42110",
        "198.18.1.9:42112",
        "2001:db8::fd00:1:42113",
    )
    assert table.opened == 42


def test_another_port_is_another_service() -> None:
    assert connection_table(TCP, {9090}).clients == ()
    assert connection_table(TCP, {9090}).opened is None


def _written(address: Address, port: int) -> str:
    """As 32-bit words, each in this machine's order, and the port."""
    words = [address.packed[i : i + 4][::-1] for i in range(0, len(address.packed), 4)]
    return f"{b''.join(words).hex().upper()}:{port:04X}"


def _said(address: Address) -> str:
    """An IPv4 address that an IPv6 socket met is told as IPv4."""
    return str(getattr(address, "ipv4_mapped", None) or address)


NOWHERE = (IPv4Address(0), 0)
PORT = st.integers(0, 65_535)
ENDPOINT = st.tuples(st.ip_addresses(), PORT)


@given(st.lists(st.tuples(ENDPOINT, st.sampled_from([8080, 9090])), max_size=5), st.text(max_size=100))
def test_every_connection_is_read_as_the_kernel_wrote_it_whatever_stands_beside_it(
    connections: list[tuple[tuple[Address, int], int]], noise: str
) -> None:
    """noise: a line that is none of the table's, and a part of two more, which are left out then."""
    lines = [noise, f" 7: {_written(*NOWHERE)} {noise} 01 0", f" 8: {noise} {_written(*NOWHERE)} 01 0"]
    lines += [f" 9: {_written(client[0], own)} {_written(*client)} 01 0" for client, own in connections]
    table = connection_table("\n".join(lines), {8080})
    assert table.clients == tuple(f"{_said(at)}:{port}" for (at, port), own in connections if own == 8080)
