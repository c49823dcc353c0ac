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


_COUNTS = "Requests per pod, from the pod names in the answers or from the run's counting source."
_HISTOGRAM = "A histogram of all answers and timeouts of the last 10 seconds, exact to 1 %."

MEANINGS: dict[str, Meaning] = {
    "score": Meaning(
        "Score",
        "How evenly the requests were shared since the start. 1 is perfectly even, 0.95 or more is balanced, 0 "
        "means that a typical pod is off by half or more. Even a fair balancer scores below 1 by chance; the "
        "verdict takes that into account.",
        "max(0, 1 − CV / 0.5)",
        _COUNTS,
    ),
    "recent_score": Meaning(
        "Score of the last 10 s",
        "The score over the last 10 seconds only. It reacts at once to a change, but scatters more because it "
        "rests on fewer connections.",
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
        "Even or uneven, with chance removed. Undecided: both are possible; more connections would decide. No "
        "data: no request yet, or fewer than 95 % of the answers named a pod. During a run the verdict is "
        "valid however often you look. At the end of a run of full duration it is computed once, from all its "
        "data.",
        "During the run: evidence of 20 to 1 for even, 100 to 1 for uneven. At the end: the whole 95 % "
        "interval is above or below 0.95.",
        "Effective picks, e-processes and the noncentral chi-square: docs/statistics.md. Measured error rates: "
        "docs/calibration.md.",
    ),
    "interval": Meaning(
        "Interval, chance removed",
        "The range in which the balancer's long-run score lies, with the scatter of chance removed. More "
        "connections make it narrower; more requests on the same connections do not.",
        "Long-run CV = √(CV² − noise²), shown as scores. During the run: all values that the evidence does not "
        "rule out. At the end: 95 %.",
        "The noncentral chi-square distribution with pods − 1 degrees of freedom.",
    ),
    "noise": Meaning(
        "What a fair random balancer would score",
        "The score and the CV that a perfectly fair random balancer would get with as many picks. A score at "
        "this level is no sign of a fault.",
        "noise = √((pods − 1) / effective picks)",
        "Effective picks = R² / Σ m f. R: all requests; m: requests of a connection; f: from how often its pod "
        "changes.",
    ),
    "cv": Meaning(
        "Spread (CV)",
        "Coefficient of variation: how much the requests per pod differ. 0 if all pods got the same, 0.5 if a "
        "typical pod is off by half.",
        "standard deviation of requests per pod / their mean",
        _COUNTS + " Ready pods without a request count as zero.",
    ),
    "requests": Meaning(
        "Requests",
        "Requests completed since the start, failed ones included, without the warm-up. For a pod: the "
        "requests that it answered.",
        "",
        "The total is counted by the load generator, requests per pod by the run's counting source.",
    ),
    "rate": Meaning(
        "Requests per second",
        "Requests completed per second, averaged over the last 10 seconds.",
        "requests of the last 10 s / 10 s",
        "Counted by the load generator.",
    ),
    "latency": Meaning(
        "Latency p50, p95, p99",
        "50 %, 95 % and 99 % of the requests were answered within this time. In the open model it counts from "
        "the time at which the request was due, so the wait at a stalled server is included.",
        "percentiles of the last 10 s",
        _HISTOGRAM,
    ),
    "failures": Meaning(
        "Failures",
        "Requests without a good answer: refused, reset, timed out, or with status 400 or above.",
        "",
        "Counted by the load generator, by cause.",
    ),
    "share": Meaning(
        "Share",
        "The part of all requests that this pod answered. Dashed line: the fair share. Grey band: where a fair "
        "random balancer stays in 95 % of cases.",
        "requests of the pod / requests of all pods",
        _COUNTS,
    ),
    "against_fair": Meaning(
        "vs. fair share",
        "How much more or less than its fair share the pod got. A pod that was ready for only part of the time "
        "is expected to get less.",
        "share / expected share − 1",
        _COUNTS + " Readiness: from the cluster.",
    ),
    "pod_state": Meaning(
        "Pod state",
        "The verdict, pod by pod. Above fair or below fair: chance does not explain how far the pod is from its fair "
        "share. Within chance: chance explains it. No answer: the pod is ready and does not answer. Not ready: the "
        "cluster sends it no new connections.",
        "more than 3 standard deviations from the fair share, corrected for the number of pods; or named by it",
        "Binomial tails with Holm's correction (1979).",
    ),
    "connections": Meaning(
        "Connections",
        "Connections that carried at least one request. A layer-4 balancer such as kube-proxy picks a pod once "
        "per connection, however many requests follow on it.",
        "",
        "Counted by the load generator.",
    ),
    "heat": Meaning(
        "Pods over time",
        "Each row is a pod, each column a time interval. The colour compares the pod's share with its fair "
        "share in that interval. Rollouts, late pods and drifts show as edges.",
        "share in the interval / fair share",
        _COUNTS,
    ),
    "cpu": Meaning(
        "CPU",
        "CPU use of the pod as the cluster measured it. It is 15 to 30 seconds old and is not used for the score.",
        "",
        "metrics.k8s.io",
    ),
    "findings": Meaning(
        "Likely causes",
        "Causes that fit the figures, first those that explain uneven work. Certain: nothing else explains them. "
        "Likely: it fits well. Possible: other causes fit too.",
        "",
        "Cluster settings and events, and this run's connections, latencies and shares: docs/findings.md.",
    ),
    "alerts": Meaning(
        "Alerts",
        "Raised when the evidence for an imbalance reaches 10,000 to 1, or when a limit of the plan is "
        "exceeded. Cleared on evidence that it is over.",
        "",
        "The plan's alert rule and limits.",
    ),
    "counts_source": Meaning(
        "Counting source",
        "Demo pods and header: each pod names itself in its answers. Simulated: invented numbers, no request "
        "was sent. All others count at the pods of a Service that needs no change; the line below the table of "
        "pods says which source is used, how many of the requests it covers and how old its counts are.",
        "",
        "Chosen at the start of the run. How exact each source is: docs/counting.md.",
    ),
    "sparkline": Meaning(
        "Score over the run",
        "The score of the last 10 seconds over the whole run. Dashed line: 0.95.",
        "max(0, 1 − CV / 0.5), last 10 s",
        _COUNTS,
    ),
    "changed": Meaning(
        "Change",
        "Better or worse: the difference is larger than chance makes between two runs of the same balancer. "
        "No more than chance: it is not.",
        "the 95 % interval of the difference of long-run CVs does not contain 0",
        "Method of variance estimates recovery (Zou and Donner, 2008), 6 % wider. If nothing changed, at most "
        "5 % of comparisons say better or worse.",
    ),
    "difference": Meaning(
        "Difference of long-run CVs",
        "Negative: the run is more even than the reference. In brackets: the 95 % interval.",
        "long-run CV of the run − long-run CV of the reference",
        "The intervals of both runs.",
    ),
    "baseline": Meaning(
        "Baseline",
        "A named run that later runs are compared with. Each name belongs to one run at a time.",
        "",
        "Set by a person.",
    ),
    "ready_pods": Meaning(
        "Ready pods",
        "The pods to which the cluster sends new connections. These should share the work.",
        "",
        "EndpointSlice conditions, not the pod's phase.",
    ),
    "counting": Meaning(
        "Counting sources",
        "Ways to learn which pod answered. Scale uses the most exact one that works. Each needs its own "
        "permission; counting by response header needs none.",
        "",
        "The cluster's answer to a SelfSubjectAccessReview of this installation.",
    ),
}
