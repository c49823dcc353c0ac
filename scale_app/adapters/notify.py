"""Messages to the outside by Apprise: chat rooms, webhooks, mail and a hundred other receivers, each named by one URL.

The URL is the secret. Apprise writes URLs and hosts into its log, so its log ends here; of what it says only the HTTP
status is passed on. Nothing is written to disk.
"""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from collections.abc import Sequence

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType, PersistentStoreMode

from scale_app.domain.errors import NotifyFailed, SettingsError
from scale_app.domain.notice import Notice, Tone

TYPES: dict[Tone, NotifyType] = {"bad": NotifyType.WARNING, "good": NotifyType.SUCCESS}
STATUS = re.compile(r"error=(\d{3})\b")
TALKATIVE = ("urllib3", "requests_oauthlib", "oauthlib")
"""Libraries below Apprise that write paths and tokens into their debug log."""


class AppriseNotifier:
    """See ports.Notifier. One receiver."""

    def __init__(self, url: str, number: int) -> None:
        """number: place in SCALE_NOTIFY_URLS, from 1. Raises SettingsError when Apprise does not know such a URL."""
        self._reasons = _Reasons()
        _keep_secrets(self._reasons)
        scheme = url.partition("://")[0].lower()
        with warnings.catch_warnings():
            # The first URL makes Apprise import all its services, and with them modules that Python is to drop.
            warnings.simplefilter("ignore", DeprecationWarning)
            receiver = Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
        if not isinstance(receiver, NotifyBase):
            raise SettingsError(
                f"SCALE_NOTIFY_URLS: URL {number} ({scheme}://, the rest is not shown) is not one that Apprise "
                "understands: compare it with the list of services in Apprise's documentation."
            )
        self._apprise = Apprise(asset=_asset())
        self._apprise.add(receiver)
        self._name = f"{scheme} (URL {number} of SCALE_NOTIFY_URLS)"

    @property
    def name(self) -> str:
        """See ports.Notifier."""
        return self._name

    async def send(self, notice: Notice) -> None:
        """See ports.Notifier. In a thread, since Apprise waits for the network; it gives up by itself in seconds."""
        if await asyncio.to_thread(self._send, notice):
            return
        status = self._reasons.status
        reason = f"it answered HTTP {status}" if status else "it could not be reached or refused the message"
        raise NotifyFailed(
            f"Sending {notice.title!r} by {self._name} failed: {reason}. "
            "Check that URL and that this machine may reach its host."
        )

    def _send(self, notice: Notice) -> bool:
        self._reasons.status = ""
        try:
            return bool(
                self._apprise.notify(
                    body=notice.body, title=notice.title, notify_type=TYPES[notice.tone], body_format=NotifyFormat.TEXT
                )
            )
        except Exception as error:
            # A hundred services' code; what an exception of theirs says may quote the URL, so only its name is told.
            raise NotifyFailed(
                f"Sending {notice.title!r} by {self._name} failed inside Apprise ({type(error).__name__}). "
                "Check that URL."
            ) from error


def notifiers(urls: Sequence[str]) -> tuple[AppriseNotifier, ...]:
    """One for each URL. Raises SettingsError for the first that cannot be used."""
    return tuple(AppriseNotifier(url, number) for number, url in enumerate(urls, 1))


class _Reasons(logging.Handler):
    """Takes the HTTP status out of what Apprise logs, and drops the rest."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.status = ""

    def emit(self, record: logging.LogRecord) -> None:
        found = STATUS.search(record.getMessage())
        if found:
            self.status = found[1]


def _keep_secrets(reasons: _Reasons) -> None:
    apprise_log = logging.getLogger("apprise")
    apprise_log.propagate = False
    apprise_log.setLevel(logging.WARNING)
    apprise_log.addHandler(reasons)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _asset() -> AppriseAsset:
    return AppriseAsset(
        app_id="Scale",
        app_desc="Scale",
        app_url="",
        image_url_logo=None,
        image_url_mask=None,
        async_mode=False,
        storage_mode=PersistentStoreMode.MEMORY,
    )
