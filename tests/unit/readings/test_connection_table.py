"""The kernel's tables of connections."""

from hypothesis import given
from hypothesis import strategies as st

from scale_app.readings.connection_table import connection_table

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


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    connection_table(text, {8080})
    connection_table(f"   1: {text} 090112C6:A47E 01 0\nTcp: PassiveOpens\nTcp: {text}", {8080})
    connection_table(f"   1: 050113C6:1F90 {text} 01 0", {8080})
