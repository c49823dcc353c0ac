"""Every failure that a person may be shown, by cause.

Each error is one sentence that says what was tried, with which value, what came back and what to do next.
Adapters raise these at their border; the API, the page and the command line show `str(error)` unchanged.
"""

from __future__ import annotations

import json

MOST_WHOLE = 1e15
"""Below it every whole number is written with all its digits."""

LEAST_SHOWN = 1e-6


class ScaleError(Exception):
    """Base of all errors meant for people. `str(error)` is a complete sentence."""


NOT_GIVEN = "(not given)"
"""The value of a field that is missing, where it may not be."""


class PlanError(ScaleError, ValueError):
    """A plan, or an edit of one, that is not valid.

    `field` is the plan's field, or "" when the whole is at fault. `value` as it was given, or NOT_GIVEN.
    """

    def __init__(self, field: str, value: object, accepted: str) -> None:
        self.field = field
        self.value = value
        self.accepted = accepted
        shown = _as_given(value)
        shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
        given = f"{field} = {shown} cannot be used" if value is not NOT_GIVEN else f"{field} is not given"
        super().__init__(f"{given}: {accepted}.")

    def called(self, name: str, per_unit: int = 1, unit: str = "") -> PlanError:
        """The same of what people know by this name, and give in this unit. per_unit: how many of it are the plan's."""
        value = self.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = Given(f"{_as_given(value * per_unit)}{f' {unit}' if unit else ''}")
        return PlanError(name, value, self.accepted)


class Given(str):
    """A value in the words in which it was given, which stand without quotes."""

    __slots__ = ()


def _as_given(value: object) -> str:
    """The words of JSON and of plan files for what Python writes in its own way; no figures that nobody gave."""
    if isinstance(value, Given):
        return str(value)
    if isinstance(value, float) and (value == 0 or LEAST_SHOWN <= abs(value) < MOST_WHOLE):
        return f"{value:.10f}".rstrip("0").rstrip(".")
    said_otherwise = value is None or isinstance(value, (bool, list, dict))
    return json.dumps(value, default=repr, skipkeys=True, ensure_ascii=False) if said_otherwise else repr(value)


class TargetRefused(ScaleError):
    """This installation may not send load to the target; no packet was sent."""


class RunNotFound(ScaleError):
    """No run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"No run has the id {run_id[:80]!r}. List the runs to see which ids exist.")


class RunNotActive(ScaleError):
    """The run has ended, so it can be neither stopped nor edited."""


class BaselineNotFound(ScaleError):
    """No run has this baseline name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No run is set as the baseline {name[:80]!r}. Set one, or give another name.")


class PlanNotFound(ScaleError):
    """No plan is saved under this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No plan is saved as {name[:80]!r}. List the saved plans to see which names exist.")


class TokenNotFound(ScaleError):
    """The caller has no token with this id."""

    def __init__(self, token_id: str) -> None:
        super().__init__(f"You have no token with the id {token_id[:80]!r}. List the tokens to see which ids exist.")


class RunStillActive(ScaleError):
    """The run still sends load, and what was asked needs its end."""


class TooManyRuns(ScaleError):
    """The most runs that this installation allows are already sending load."""


class ServerEnding(ScaleError):
    """The server lets its runs end and begins no more."""

    def __init__(self) -> None:
        super().__init__(
            "This server is about to end: it begins no more runs. Try again in a moment, when another one answers."
        )


class TooManyExports(ScaleError):
    """The most exports that this server allows are already running."""

    def __init__(self, most: int, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"{most} run files are being downloaded already, the most that this server allows at once. Try again in "
            f"{retry_after_s} seconds."
        )


class NotPassed(ScaleError):
    """The run that was waited for has ended and did not pass."""

    def __init__(self, run_id: str, sentence: str) -> None:
        super().__init__(f"Run {run_id} did not pass. {sentence}")


class GeneratorFailed(ScaleError):
    """The load generator's process could not be started or ended early."""


class TargetUnavailable(ScaleError):
    """The target's address or pods could not be found, or the demo could not be started or asked."""


class TargetGone(TargetUnavailable):
    """The target itself has ended, so that what is sent to it measures nothing any more."""


class ClusterUnavailable(TargetUnavailable):
    """A Kubernetes cluster cannot be asked: not configured, wrong context, expired token, unreachable."""


class ClusterForbidden(ClusterUnavailable):
    """The cluster refuses one request to this account. rule: the missing permission, as "list pods"."""

    def __init__(self, sentence: str, rule: str) -> None:
        self.rule = rule
        super().__init__(sentence)


class CountingFailed(ScaleError):
    """A source of requests per pod cannot be read."""


class StoreUnavailable(ScaleError):
    """The database could not be read or written."""


class BusUnavailable(ScaleError):
    """What the replicas share could not be read or written."""


class LeaseLost(ScaleError):
    """Somebody else has claimed what this process owned; what it wanted to write was not written."""

    def __init__(self, name: str) -> None:
        super().__init__(f"This server does not own {name!r} any more, since another server has claimed it.")


class OwnerAway(ScaleError):
    """The server that owns a run did not answer. taken: it has the command, so that it may have carried it out."""

    def __init__(self, taken: bool) -> None:
        self.taken = taken
        then = "it may have done so all the same" if taken else "nothing was changed"
        super().__init__(
            f"The server that runs this load was asked and did not answer in time; {then}. "
            "Look at the run, and try again."
        )


class NoDatabase(StoreUnavailable):
    """A command that only reads found no database, and makes none."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"There is no database at {path} (SCALE_DATABASE_URL), so there is nothing to read. Start the command in "
            "the folder where Scale runs, set SCALE_DATABASE_URL, or add --server URL."
        )


class BackupRefused(ScaleError):
    """A backup that cannot be made or restored as asked; nothing was changed."""


class NotifyFailed(ScaleError):
    """A message could not be delivered to its receiver. The sentence never holds the receiver's secrets."""


class NoExperiment(ScaleError):
    """No second run would decide more than this one."""


class SettingsError(ScaleError, ValueError):
    """An environment setting has a value that is not accepted; the program does not start."""


class NoRecording(ScaleError):
    """The run cannot be analysed again, because not all of its samples are there."""

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__(f"Run {run_id[:80]} cannot be replayed: {reason}. Its stored figures remain.")


class BadRunFile(ScaleError, ValueError):
    """A file that was to be a run is none, or is of another version."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The file is not a readable run: {reason}. Export a run as JSON and use that file.")


def named(error: BaseException) -> str:
    """An error that nobody foresaw, on one line of at most 200 characters: "RuntimeError: boom"."""
    said = " ".join(str(error).split())
    return (f"{type(error).__name__}: {said}" if said else type(error).__name__)[:200]
