"""Where the counts of a run come from, and which source is preferred to which."""

from __future__ import annotations

from enum import StrEnum


class Source(StrEnum):
    """Where the counts come from.

    DEMO, SIMULATED: the built-in target and invented counts. HEADER, JSON: each answer names its pod, in a response
    header or in a field of its JSON body. The others are read beside the load, see COUNTERS.
    """

    DEMO = "demo"
    HEADER = "header"
    SIMULATED = "simulated"
    JSON = "json"
    PROMETHEUS = "prometheus"
    ACCESS_LOG = "access_log"
    CONNECTION_MAP = "connection_map"
    PROXY = "proxy"
    NETWORK = "network"


COUNTERS = (Source.PROMETHEUS, Source.ACCESS_LOG, Source.CONNECTION_MAP, Source.PROXY, Source.NETWORK)
"""What is read beside the load, the preferred first: all exact but the last, the first two for the least rights."""

NAMED_BY_ANSWERS = frozenset({Source.DEMO, Source.HEADER, Source.SIMULATED, Source.JSON})
"""Sources in which every answer says itself which pod gave it, so that requests of other clients cannot slip in."""
