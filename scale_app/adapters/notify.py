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
from contextlib import suppress
from threading import Thread

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType, PersistentStoreMode

from scale_app.domain.errors import NotifyFailed, SettingsError
from scale_app.domain.notice import Notice, Tone

TYPES: dict[Tone, NotifyType] = {"bad": NotifyType.WARNING, "good": NotifyType.SUCCESS}
STATUS = re.compile(r"error=(\d{3})\b")
FOR_PROGRAMS = ("json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos")
"""Receivers that show a text as it is, and get it so. A chat room makes mentions and links of parts of it."""
MENTIONS = re.compile(r"@|<|\](?=\()")
UNSEEN = "\N{ZERO WIDTH SPACE}"
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
                f"SCALE_NOTIFY_URLS: URL {number} ({scheme}://, the rest is not shown) is not supported by "
                "Apprise: see the list of services in Apprise's documentation."
            )
        self._apprise = Apprise(asset=_asset())
        self._apprise.add(receiver)
        self._under_way = False
        self._shown = str if scheme in FOR_PROGRAMS else disarmed
        self._name = f"{scheme} (URL {number} of SCALE_NOTIFY_URLS)"

    @property
    def name(self) -> str:
        return self._name

    async def send(self, notice: Notice) -> None:
        """See ports.Notifier. In a thread, since Apprise waits for the network; mostly it gives up in seconds."""
        if self._under_way:
            raise self._failure(notice, ": an earlier message is still being sent")
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        # A thread of its own: one that hangs would keep a place in the loop's pool, and the server from ending.
        self._under_way = True
        try:
            Thread(target=self._tell, args=(notice, answer), name="apprise", daemon=True).start()
        except RuntimeError:
            self._under_way = False
            raise self._failure(notice, ": this machine has no more threads") from None
        reason = await answer
        if reason:
            raise self._failure(notice, reason)

    def _failure(self, notice: Notice, reason: str) -> NotifyFailed:
        return NotifyFailed(
            f"Sending {notice.title!r} by {self._name} failed{reason}. "
            "Check that URL and that this machine may reach its host."
        )

    def _tell(self, notice: Notice, answer: asyncio.Future[str]) -> None:
        """Send, and give the answer the reason of a failure, "" for none. In the thread."""
        reason = self._send(notice)
        self._under_way = False
        with suppress(RuntimeError):  # the loop may be closed by now
            answer.get_loop().call_soon_threadsafe(_give, answer, reason)

    def _send(self, notice: Notice) -> str:
        self._reasons.status = ""
        try:
            if self._apprise.notify(
                body=self._shown(notice.body),
                title=self._shown(notice.title),
                notify_type=TYPES[notice.tone],
                body_format=NotifyFormat.TEXT,
            ):
                return ""
        except BaseException as error:  # noqa: BLE001 - a hundred services' code, which may do anything
            # What an exception of theirs says may quote the URL, so only its name is told.
            return f" inside Apprise ({type(error).__name__})"
        status = self._reasons.status
        return f": it answered HTTP {status}" if status else ": it could not be reached or refused the message"


def disarmed(text: str) -> str:
    """The same to the eye, without a mention ("@everyone", "<!channel>", "<@U1>") or a link under another name.

    Names of pods and plans are in it, which anybody may choose.
    """
    return MENTIONS.sub(lambda found: found[0] + UNSEEN, text)


def notifiers(urls: Sequence[str]) -> tuple[AppriseNotifier, ...]:
    """One for each URL. Raises SettingsError for the first that cannot be used."""
    return tuple(AppriseNotifier(url, number) for number, url in enumerate(urls, 1))


def _give(answer: asyncio.Future[str], reason: str) -> None:
    if not answer.done():
        answer.set_result(reason)


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
