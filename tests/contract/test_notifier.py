"""What every Notifier promises, asked of the fake and of Apprise with a webhook of our own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from scale_app.adapters.notify import AppriseNotifier
from scale_app.domain.errors import NotifyFailed
from scale_app.domain.notice import Notice
from scale_app.ports import Notifier
from tests.fakes import FakeNotifier
from tests.webhook import Webhook, running_webhook

SECRET = "s3cr3t-t0ken"
NOTICE = Notice("Scale: alert on demo", "Uneven: <b>a</b> & ü gets 43 %.\nBalance score: 0.43.")


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with running_webhook() as hook:
        yield hook


@dataclass
class Receiver:
    """A notifier and what its other end got."""

    notifier: Notifier
    fake: FakeNotifier | None
    webhook: Webhook

    def got(self) -> list[tuple[str, str]]:
        if self.fake:
            return [(notice.title, notice.body) for notice in self.fake.sent]
        return [(message["title"], message["message"]) for message in self.webhook.got]

    def breaks(self) -> None:
        if self.fake:
            self.fake.broken = 1
        self.webhook.status = 500

    def is_mended(self) -> None:
        self.webhook.status = 200


@pytest.fixture(params=["fake", "apprise"])
def receiver(request: pytest.FixtureRequest, webhook: Webhook) -> Receiver:
    if request.param == "fake":
        fake = FakeNotifier()
        return Receiver(fake, fake, webhook)
    url = f"json://user:{SECRET}@127.0.0.1:{webhook.port}/{SECRET}?cto=2&rto=2"
    return Receiver(AppriseNotifier(url, 1), None, webhook)


async def test_a_message_arrives_word_for_word(receiver: Receiver) -> None:
    await receiver.notifier.send(NOTICE)
    assert receiver.got() == [(NOTICE.title, NOTICE.body)]


async def test_messages_arrive_in_order_and_once(receiver: Receiver) -> None:
    for number in range(5):
        await receiver.notifier.send(Notice(f"title {number}", "body"))
    assert [title for title, _ in receiver.got()] == [f"title {number}" for number in range(5)]


async def test_a_refusal_is_an_error_and_the_next_try_may_succeed(receiver: Receiver) -> None:
    receiver.breaks()
    with pytest.raises(NotifyFailed) as failed:
        await receiver.notifier.send(NOTICE)
    assert NOTICE.title in str(failed.value)
    assert receiver.notifier.name in str(failed.value)
    assert receiver.got() == []
    receiver.is_mended()
    await receiver.notifier.send(NOTICE)
    assert len(receiver.got()) == 1


class Listening(logging.Handler):
    """Everything that reaches the root logger, as a log file would get it."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def logged() -> Iterator[list[logging.LogRecord]]:
    root, listening = logging.getLogger(), Listening()
    level = root.level
    root.addHandler(listening)
    root.setLevel(logging.NOTSET)
    yield listening.records
    root.setLevel(level)
    root.removeHandler(listening)


async def test_no_secret_is_in_the_name_in_an_error_or_in_any_log(
    receiver: Receiver, logged: list[logging.LogRecord], capfd: pytest.CaptureFixture[str]
) -> None:
    await receiver.notifier.send(NOTICE)
    receiver.breaks()
    with pytest.raises(NotifyFailed) as failed:
        await receiver.notifier.send(NOTICE)
    told = [receiver.notifier.name, str(failed.value), *capfd.readouterr(), *(r.getMessage() for r in logged)]
    assert not any(SECRET in text for text in told)
    # Its warnings hold the host, which is the secret of some services.
    assert not any(r.name.startswith("apprise") for r in logged)
