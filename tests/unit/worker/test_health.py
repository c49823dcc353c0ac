"""How many ports are left, from what the kernel says."""

from __future__ import annotations

from pathlib import Path

from scale_app.worker.health import ports_left


def test_ports_in_use_and_in_wait_are_not_left(tmp_path: Path) -> None:
    span, four, six = tmp_path / "range", tmp_path / "sockstat", tmp_path / "sockstat6"
    span.write_text("32768\t60999\n")
    four.write_text("sockets: used 200\nTCP: inuse 10 orphan 3 tw 200 alloc 15 mem 2\nUDP: inuse 7 mem 0\n")
    six.write_text("TCP6: inuse 5\nUDP6: inuse 9\n")
    assert ports_left(span, (four, six)) == 28_232 - 215
    assert ports_left(span, (tmp_path / "none",)) == 28_232
    assert ports_left(tmp_path / "none", (four,)) is None
