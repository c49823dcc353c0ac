"""What every figure on the pages means, how it is computed and where it comes from: one table, shown in popovers.

The formulas are those of domain/balance.py, verdict.py, window.py and compare.py; docs/statistics.md has the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """One figure. name: as headings call it; formula: "" where there is none; source: data or literature behind it."""

    name: str
    meaning: str
    formula: str
    source: str


_COUNTS = "Each pod's requests: by its name in the answers, or as the run's source of counts has counted them."
_HISTOGRAM = "A histogram of every answer of the last 10 seconds; within 1 % of the true value."

MEANINGS: dict[str, Meaning] = {
    "score": Meaning(
        "Score",
        "How evenly the requests were shared since the start: 1 is perfectly even, 0.95 and more is balanced, 0 means "
        "that a typical pod is off by half or more. A fair balancer scores below 1 by chance alone: see the verdict.",
        "max(0, 1 − CV / 0.5)",
        _COUNTS,
    ),
    "recent_score": Meaning(
        "Score of the last seconds",
        "The same score over the last 10 seconds only. It moves at once when something changes, and it is noisier, "
        "because fewer connections decide it.",
        "max(0, 1 − CV / 0.5), last 10 s",
        _COUNTS,
    ),
    "grade": Meaning(
        "Grade",
        "The score as a letter.",
        "A from 0.95, B from 0.85, C from 0.70, D from 0.50, F below",
        "The score.",
    ),
    "verdict": Meaning(
        "Verdict",
        "Even or uneven once chance is taken out. Undecided: both are possible, and more connections would decide. "
        "No data: no request yet, or fewer than 95 % of the answers named a pod. While a run goes on the verdict holds "
        "at every look, however often one looks; at the end of one that took its time it is that of one look.",
        "Even: evidence of 20 to 1; uneven: of 100 to 1. At the end: the whole 95 % interval is on one side of 0.95.",
        "Effective picks, e-processes and the noncentral chi-square; docs/statistics.md, how often it errs in "
        "docs/calibration.md.",
    ),
    "interval": Meaning(
        "Chance removed",
        "Where the balancer's own score lies once the scatter of chance is removed. More connections make it narrower; "
        "more requests on the same connections do not.",
        "Long-run CV = √(CV² − noise²), as scores: those that no evidence refutes at any look, or at the end 95 %",
        "The noncentral chi-square distribution with pods − 1 degrees of freedom.",
    ),
    "noise": Meaning(
        "What chance alone gives",
        "The score and the CV of a perfectly fair random balancer that made as many picks. A score at this level is "
        "no sign of a fault.",
        "CV by chance = √((pods − 1) / effective picks)",
        "Effective picks = R² / Σ m f over the connections' m requests; f from how often each one's pod changes.",
    ),
    "cv": Meaning(
        "Spread (CV)",
        "Coefficient of variation: how far the pods' requests lie apart. 0 when all pods got the same, 0.5 when a "
        "typical pod is off by half.",
        "standard deviation of requests per pod / their mean",
        _COUNTS + " Pods that were ready and got nothing count with zero.",
    ),
    "requests": Meaning(
        "Requests",
        "Requests that have ended since the start, failed ones included; the warm-up is left out. Of a pod: those that "
        "it answered.",
        "",
        "All are counted by the load generator; a pod's by the run's source of counts.",
    ),
    "rate": Meaning(
        "Requests per second",
        "Requests that ended in each second, averaged over the last 10 seconds.",
        "requests of the last 10 s / 10 s",
        "Counted by the load generator.",
    ),
    "latency": Meaning(
        "Latency p50, p95, p99",
        "Half, 95 % and 99 % of the requests were answered within this time. In the open model it counts from the "
        "moment at which the request was due, so a stalled server cannot hide.",
        "percentiles of the last 10 s",
        _HISTOGRAM,
    ),
    "failures": Meaning(
        "Failures",
        "Requests without a good answer: refused, reset, timed out, or with a status of 400 and more.",
        "",
        "Counted by the load generator, by cause.",
    ),
    "share": Meaning(
        "Share",
        "The part of all requests that this pod answered. The dashed line is the fair share; within the grey band a "
        "fair random balancer stays in 95 % of cases.",
        "requests of the pod / requests of all pods",
        _COUNTS,
    ),
    "against_fair": Meaning(
        "Against fair",
        "How much more or less than its fair share the pod got. A pod that was ready only for a part of the time is "
        "expected to get that part.",
        "share / expected share − 1",
        _COUNTS + " Readiness comes from the cluster.",
    ),
    "pod_state": Meaning(
        "State of a pod",
        "Over-used or under-used: so far from its fair share that chance does not explain it. Within chance: not so. "
        "Not ready: the cluster sends it no new connection.",
        "beyond 3 standard deviations of chance, and still improbable with all pods asked at once",
        "Binomial tails with Holm's correction (1979).",
    ),
    "connections": Meaning(
        "Connections",
        "Connections that carried a request. A layer-4 balancer such as kube-proxy picks a pod once per connection, so "
        "these are its picks, however many requests follow on each.",
        "",
        "Counted by the load generator.",
    ),
    "heat": Meaning(
        "Pods over time",
        "Each row is a pod, each column a moment; the colour tells the pod's share against its fair share then. "
        "Rollouts, late pods and drifts show as edges.",
        "share in the interval / fair share",
        _COUNTS,
    ),
    "cpu": Meaning(
        "CPU",
        "What the cluster measured for the pod. It is 15 to 30 seconds old, so it is shown and never scored.",
        "",
        "metrics.k8s.io",
    ),
    "findings": Meaning(
        "Likely causes",
        "Causes that fit the figures, the surest first. Certain: nothing else explains it. Likely: it fits well. "
        "Possible: it fits, and so do others.",
        "",
        "Settings and events of the cluster, connections, latencies and shares of this run; docs/findings.md.",
    ),
    "alerts": Meaning(
        "Alerts",
        "Raised on evidence of an imbalance (10,000 to 1), or when one of the plan's own limits is broken; cleared on "
        "evidence that it is over.",
        "",
        "The plan's alert rule and limits.",
    ),
    "counts_source": Meaning(
        "Where the counts come from",
        "Demo pods and header: each pod names itself in its answers. Simulated: invented to try the page out, "
        "no request was sent. The others count at the pods of a Service that nobody changed; below the table of pods "
        "stands which one it is, how much of the load it has seen and how old it is.",
        "",
        "Chosen at the start of the run, and part of every snapshot. How exact each is: docs/counting.md.",
    ),
    "sparkline": Meaning(
        "Score over the run",
        "The score of the last 10 seconds, from the start of the run to its end; the dashed line is 0.95.",
        "max(0, 1 − CV / 0.5), last 10 s",
        _COUNTS,
    ),
    "changed": Meaning(
        "Changed or chance?",
        "Better or worse only when the difference is more than chance makes between two runs of the same balancer.",
        "the 95 % interval of the difference of long-run CVs leaves out 0",
        "Method of variance estimates recovery (Zou and Donner, 2008), made 6 % wider; where nothing changed, at most "
        "5 % of comparisons say otherwise.",
    ),
    "difference": Meaning(
        "Difference of long-run CVs",
        "Negative: the run shares more evenly than the one it is held against. Behind it, the 95 % interval.",
        "long-run CV of the run − long-run CV of the reference",
        "Both runs' own intervals.",
    ),
    "baseline": Meaning(
        "Baseline",
        "A run that later ones are held against, by its name. A name belongs to one run at a time.",
        "",
        "Marked by a person.",
    ),
    "ready_pods": Meaning(
        "Ready pods",
        "Pods that should share the work: the cluster sends new connections to these.",
        "",
        "EndpointSlice conditions, never the pod's phase.",
    ),
    "counting": Meaning(
        "Counting sources",
        "Ways to learn which pod answered. Scale takes the most exact one that works here; each needs a right of its "
        "own, and none is needed for counting by response header.",
        "",
        "The cluster's own answer to what this installation may read (SelfSubjectAccessReview).",
    ),
}
