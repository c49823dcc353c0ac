"""Pods by time as one small image: a row for a pod, colour for its share against the fair one.

Blue is less, amber is more, which colour-blind readers tell apart as well; strength grows with the distance. Colours
are see-through, so that one image suits the light and the dark page. An image of indices costs the browser the same
for 5 pods and for 1,000.
"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from scale_app.domain.pod_history import PodTimes

STEPS = (0.25, 0.5, 0.75, 0.9, 1.1, 1.35, 2.0, 4.0)
"""Where one colour ends and the next begins, as share over fair share."""
COLOURS = (
    (43, 76, 196, 255),
    (62, 99, 221, 200),
    (62, 99, 221, 135),
    (62, 99, 221, 70),
    (128, 132, 148, 34),
    (255, 186, 24, 105),
    (255, 178, 0, 190),
    (240, 128, 0, 235),
    (190, 78, 0, 255),
    (0, 0, 0, 0),
)
"""Red, green, blue, opacity of each step; the last one where a pod had no share to get."""
NOT_THERE = len(STEPS) + 1
MOST_ROWS = 250
LEAST_EXPECTED = 12.0
"""Requests that a cell should be able to expect: with fewer, chance paints the picture."""
LEAST_COLUMNS = 12
CLEARLY_OVER, CLEARLY_UNDER = 1.35, 0.75


@dataclass(frozen=True, slots=True)
class HeatPicture:
    """image: PNG as a data URI, "" without data. span_s: seconds of one column; columns: how many from the start on.

    names: of the rows from top to bottom, a row that stands for several pods by its first; held: how many each stands
    for. sorted_by_share: the busiest first.
    over, under: pods clearly above and below their fair share in the newest column.
    """

    image: str = ""
    span_s: float = 1.0
    columns: int = 0
    names: tuple[str, ...] = ()
    held: tuple[int, ...] = ()
    sorted_by_share: bool = False
    over: int = 0
    under: int = 0

    @property
    def width_s(self) -> float:
        """Seconds from the start that the image covers."""
        return self.columns * self.span_s


def heat_picture(times: PodTimes, sort_from: int = 60) -> HeatPicture:
    """The picture. sort_from: with more pods than this the busiest stand at the top, else the order is by name."""
    if not times.names or not times.expected.size:
        return HeatPicture()
    merged = _merge_for(times.expected)
    requests, expected = _merged(times.requests, merged), _merged(times.expected, merged)
    many = len(times.names) > sort_from
    order = _by_share(requests, expected) if many else np.argsort(np.array(times.names), kind="stable")
    newest = _ratio(requests[:, -1], expected[:, -1])
    rows = min(len(order), MOST_ROWS)
    firsts = -(-np.arange(rows) * len(order) // rows)
    cells = _ratio(*(np.add.reduceat(table[order], firsts, axis=0) for table in (requests, expected)))
    return HeatPicture(
        image=_data_uri(_classes(cells)),
        span_s=times.span_s * merged,
        columns=requests.shape[1],
        names=tuple(times.names[i] for i in order[firsts]),
        held=tuple(np.diff(firsts, append=len(order)).tolist()),
        sorted_by_share=many,
        over=int((newest > CLEARLY_OVER).sum()),
        under=int((newest < CLEARLY_UNDER).sum()),
    )


def _merge_for(expected: np.ndarray) -> int:
    """How many columns become one, so that a cell tells of the pod and not of chance."""
    due = expected[expected > 0]
    typical = float(np.median(due)) if due.size else 0.0
    wanted = int(np.ceil(LEAST_EXPECTED / typical)) if typical > 0 else 1
    return max(1, min(wanted, int(expected.shape[1]) // LEAST_COLUMNS))


def _merged(table: np.ndarray, columns: int) -> np.ndarray:
    """shape (pods, c) to (pods, ceil(c / columns)), summed."""
    return np.add.reduceat(table, np.arange(0, table.shape[1], columns), axis=1)


def _by_share(requests: np.ndarray, expected: np.ndarray) -> np.ndarray:
    total = _ratio(requests.sum(axis=1), expected.sum(axis=1))
    return np.argsort(-np.nan_to_num(total, nan=-1.0), kind="stable")


def _ratio(requests: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Share over fair share; NaN where less than a request could be expected."""
    ratio: np.ndarray = np.divide(requests, expected, out=np.full(expected.shape, np.nan), where=expected >= 1)
    return ratio


def _classes(ratio: np.ndarray) -> np.ndarray:
    found = np.digitize(ratio, STEPS)
    return np.where(np.isnan(ratio), NOT_THERE, found).astype(np.uint8)


def _data_uri(cells: np.ndarray) -> str:
    """A PNG with a palette; cells: indices, shape (rows, columns)."""
    height, width = cells.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), cells], axis=1)  # 0: no filter before each line
    png = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", bytes(part for colour in COLOURS for part in colour[:3]))
        + _chunk(b"tRNS", bytes(colour[3] for colour in COLOURS))
        + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
