"""To which pod a layer-7 proxy sent each request: its access log, or the counters that Envoy keeps."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from scale_app.readings.access_log import Entry

ADDRESS = re.compile(
    r"(?<![0-9.])((?:[0-9]{1,3}\.){3}[0-9]{1,3}):[0-9]{1,5}(?![0-9])|\[([0-9a-fA-F:.]{2,45})\]:[0-9]{1,5}"
)


def upstream_ip(entry: Entry, ips: Collection[str]) -> str:
    """The address of the pod that answered, "" when the line names none of `ips`.

    A proxy that tried several writes them all, the one that answered last.
    """
    return _last_ip(entry.upstream, ips)


def envoy_requests(clusters: str, ips: Collection[str]) -> Mapping[str, int]:
    """{pod address: requests} from the text of Envoy's admin page /clusters: lines `name::address:port::rq_total::n`.

    An address that several of Envoy's clusters lead to counts with all of them.
    """
    requests: dict[str, int] = {}
    for line in clusters.split("\n"):
        head, _, count = line.rpartition("::")
        head, _, what = head.rpartition("::")
        if what != "rq_total" or not count.isascii() or not count.isdigit() or len(count) > 18:
            continue
        ip = _last_ip(head, ips)
        if ip:
            requests[ip] = requests.get(ip, 0) + int(count)
    return requests


def _last_ip(text: str, ips: Collection[str]) -> str:
    found = [first or second for first, second in ADDRESS.findall(text)]
    return next((ip for ip in reversed(found) if ip in ips), "")
