"""A load generator that obeys nobody: it says a sample every tenth of a second, for ever. Run as a module."""

from __future__ import annotations

import sys
import time

from scale_app.codec import to_json
from scale_app.domain.samples import LoadReady, Sample, TrafficSample


def say(sample: Sample) -> None:
    sys.stdout.buffer.write(to_json(sample, Sample) + b"\n")
    sys.stdout.buffer.flush()


say(LoadReady(time.monotonic()))
while True:
    say(TrafficSample(time.monotonic(), users=1, requests=0))
    time.sleep(0.1)
