"""What the pods' Prometheus counters have gained since the first look, and which of them counts requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.readings.counters import Page, Series, counter_of_requests, series_of_path


@dataclass(frozen=True, slots=True)
class RequestDeltas:
    """requests: {pod name: gained since the first look}. others: gained by series about other paths than ours.
    restarted: pods whose counters began anew since the first look."""

    requests: Mapping[str, int]
    others: int
    restarted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _CountingProcess:
    """What counts. started: what its page says of its beginning, "" when nothing. restarts: of its pod's containers."""

    uid: str
    restarts: int
    started: str

    def is_new_after(self, before: _CountingProcess) -> bool:
        """True when this one began to count anew. The page's own word is the surer: the cluster tells of a restart
        some time before or after the first page of the new container, which must not be taken for a second one."""
        if self.uid != before.uid or (self.started and before.started):
            return (self.uid, self.started) != (before.uid, before.started)
        return self.restarts > before.restarts


@dataclass(slots=True)
class _Life:
    """One pod. restarted: it began to count anew since the first look."""

    process: _CountingProcess
    last: dict[Series, float]
    gained: dict[Series, float]
    looks: int = 1
    restarted: bool = False


class CounterDeltas:
    """name: of the counter, "" to recognise it. path: of our requests."""

    def __init__(self, name: str, path: str) -> None:
        self._asked = name
        self._path = path
        self._chosen = ""
        self._lives: dict[str, _Life] = {}
        self._begun = False
        self._base_unknown: set[str] = set()
        self._sent_at_first = 0
        self._candidate = ""
        self.problem = ""

    def observe(
        self, pages: Mapping[str, tuple[CountedPod | None, Page]], sent: int, unread: Collection[str] = ()
    ) -> None:
        """Take a look at the pods' pages; sent: what the load has sent so far. unread: pods that gave none."""
        for name, (pod, page) in pages.items():
            self._take(name, _process(pod, page, self._lives.get(name)), page)
        if not self._begun:
            self._sent_at_first = sent
            self._base_unknown = set(unread)
        self._begun = True
        if not self._chosen:
            self._choose(sent - self._sent_at_first)

    def counted(self) -> RequestDeltas:
        """Up to now; nothing for every pod while the counter is not recognised."""
        all_series = {series for life in self._lives.values() for series in life.gained if series[0] == self._chosen}
        ours = series_of_path(all_series, self._path)
        requests = {name: self._of(life, ours) for name, life in self._lives.items()}
        total = sum(self._of(life, frozenset()) for life in self._lives.values())
        looks = sum(life.looks for life in self._lives.values()) if ours else 0
        restarted = tuple(name for name, life in self._lives.items() if life.restarted)
        return RequestDeltas(requests, max(0, total - sum(requests.values()) - looks), restarted)

    def _of(self, life: _Life, ours: frozenset[tuple[tuple[str, str], ...]]) -> int:
        """ours: the labels that count, all of them when empty."""
        chosen = self._chosen
        gained = (
            gain for (name, labels), gain in life.gained.items() if name == chosen and (not ours or labels in ours)
        )
        return round(sum(gained))

    def _take(self, name: str, process: _CountingProcess, page: Page) -> None:
        life = self._lives.get(name)
        counters = {series: value for series, value in page.counters.items() if self._wanted(series)}
        if life is None:
            # A pod that came after the first look began to count within the run.
            came_later = self._begun and name not in self._base_unknown
            gained = dict(counters) if came_later else {}
            self._lives[name] = _Life(process, counters, gained)
            return
        last = life.last
        fell = any(value < last.get(series, 0.0) for series, value in counters.items())
        if process.is_new_after(life.process):
            life.restarted, last = True, {}
        elif fell and not process.started:
            # It began anew though the cluster does not tell yet: that it will tell is no second restart.
            life.restarted, process = True, replace(process, restarts=process.restarts + 1)
        for series, value in counters.items():
            before = last.get(series, 0.0)
            gain = value - before if value >= before else value
            if gain:
                life.gained[series] = life.gained.get(series, 0.0) + gain
        life.process, life.last, life.looks = process, counters, life.looks + 1

    def _wanted(self, series: Series) -> bool:
        return not self._chosen or series[0] == self._chosen

    def _choose(self, sent: int) -> None:
        if self._asked:
            self._choose_asked()
            return
        totals: defaultdict[str, float] = defaultdict(float)
        for life in self._lives.values():
            for (name, _), gain in life.gained.items():
                totals[name] += gain
        candidate, self._candidate = self._candidate, counter_of_requests(totals, sent)
        if candidate and candidate == self._candidate:  # twice the same, since one look may deceive
            self._chosen = candidate
            self._forget_others()

    def _choose_asked(self) -> None:
        names = {series[0] for life in self._lives.values() for series in life.last}
        self._chosen = next((name for name in (self._asked, f"{self._asked}_total") if name in names), "")
        self.problem = (
            ""
            if self._chosen
            else f"The pods' Prometheus pages have no counter {self._asked}. Check its name, or leave it out."
        )

    def _forget_others(self) -> None:
        for life in self._lives.values():
            life.last = {series: value for series, value in life.last.items() if self._wanted(series)}
            life.gained = {series: value for series, value in life.gained.items() if self._wanted(series)}


def _process(pod: CountedPod | None, page: Page, before: _Life | None) -> _CountingProcess:
    """What gave the page; of a pod that is not listed any more it is the one known before."""
    known = before.process if before else _CountingProcess("", 0, "")
    if pod is None:
        return replace(known, started=page.started)
    return _CountingProcess(pod.uid, max(pod.restarts, known.restarts if known.uid == pod.uid else 0), page.started)
