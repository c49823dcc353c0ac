"""What a pod's row and bar say of its share, which is what the verdict says. Pure."""

from __future__ import annotations

from dataclasses import replace

from scale_app.domain.judgement import STRICT_ALPHA
from scale_app.domain.snapshot import PodShare, Snapshot
from scale_app.domain.verdict import Verdict, VerdictKind

STATES = {
    "w": ("", "Within chance"),
    "W": ("", "Not ready"),
    "u": ("under", "▼ Below fair"),
    "U": ("under", "Not ready"),
    "o": ("over", "▲ Above fair"),
    "O": ("over", "Not ready"),
    "s": ("under", "▼ No answer"),
}
"""By the letter that is sent: the side of the fair share, and the word. In the order in which they are sorted."""


def judged_pods(snapshot: Snapshot) -> tuple[PodShare, ...]:
    """The pods, marked as the verdict has it: none stands out where chance explains all of them, and the one that an
    uneven verdict names does, as do those of which it says that they do not answer.

    Each pod is asked by itself at each look, so that now and then one seems to stand out where the verdict, which looks
    at all of them and at all looks, says that it does not.
    """
    verdict, pods = snapshot.verdict, snapshot.pods
    if verdict.kind is not VerdictKind.UNEVEN:
        chance = _all_by_chance(verdict)
        return tuple(_marked(pod, pod.outlier and not chance, unanswered=0) for pod in pods)
    silent = any(pod.unanswered for pod in pods)
    named = "" if silent else _furthest(pods)
    return tuple(_marked(pod, pod.outlier or pod.name == named or pod.unanswered > 0, pod.unanswered) for pod in pods)


def _marked(pod: PodShare, outlier: bool, unanswered: int) -> PodShare:
    same = (outlier, unanswered) == (pod.outlier, pod.unanswered)
    return pod if same else replace(pod, outlier=outlier, unanswered=unanswered)


def _all_by_chance(verdict: Verdict) -> bool:
    """Whether an even verdict says that all are within chance, and not that they differ by too little to matter."""
    beyond = verdict.p_uneven is not None and verdict.p_uneven < STRICT_ALPHA
    return verdict.kind is VerdictKind.EVEN and not beyond


def _furthest(pods: tuple[PodShare, ...]) -> str:
    """The pod that the verdict names, "" where none was judged."""
    judged = [pod for pod in pods if pod.residual is not None]
    return max(judged, key=lambda pod: abs(pod.residual or 0.0)).name if judged else ""


def state_of(pod: PodShare) -> str:
    """The letter of its row in STATES; of a pod of `judged_pods`."""
    if pod.unanswered and pod.ready:
        return "s"
    letter = "w" if not pod.outlier else "o" if pod.against_fair > 0 else "u"
    return letter if pod.ready else letter.upper()


def outlier_side(pod: PodShare) -> str:
    """ "over", "under" or "" for a pod within chance; of a pod of `judged_pods`."""
    return STATES[state_of(pod)][0]
