"""A fault of ours, not of the target: the counts can no longer be trusted, so the run ends and says why."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import gevent  # type: ignore[import-untyped]
from locust.env import Environment


def watch_for_faults(environment: Environment, give_up: Callable[[str], None], ours: bool = True) -> None:
    """Call `give_up` with a sentence when a user, a greenlet or a callback of the event loop raises.

    ours: False when the users come from a locustfile, whose tasks may raise as they like: Locust logs that.
    """

    def on_user_error(exception: BaseException, **_: object) -> None:
        give_up(_sentence(exception))

    def on_callback_error(context: object, kind: object, exception: BaseException, trace: object) -> None:
        if not isinstance(exception, gevent.get_hub().NOT_ERROR):
            traceback.print_exception(exception)
            give_up(_sentence(exception))

    if ours:
        environment.events.user_error.add_listener(on_user_error)  # type: ignore[no-untyped-call]
        gevent.get_hub().handle_error = on_callback_error


def _sentence(exception: BaseException) -> str:
    return f"The load generator had to stop: {type(exception).__name__}: {exception}."
