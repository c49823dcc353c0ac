"""The connection to Redis, and the border where its errors become one sentence, without the password in its URL.

Every change is one Lua script, so that it happens whole or not at all, and by the clock of Redis.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswer

from scale_app.domain.errors import BusUnavailable

ANSWER_LIMIT_S = 1.0
"""A lease is renewed at least twice in the time for which it lasts, also when one answer does not come."""
ADVICE = (
    ("username-password", "Check user name and password in SCALE_REDIS_URL"),
    ("authentication required", "Put the password into SCALE_REDIS_URL: redis://:password@host:6379/0"),
    ("noperm", "Let this user use the commands and keys that Scale needs"),
    ("readonly", "Set SCALE_REDIS_URL to the primary, not to a replica of it"),
    ("oom", "Give Redis more memory"),
    ("misconf", "Free disk space where Redis runs"),
    ("unknown command", "Use Redis 7 or newer, or Valkey"),
    ("ssl", "Check whether Redis speaks TLS: rediss:// with it, redis:// without"),
    ("db index", "Check the number of the database at the end of SCALE_REDIS_URL"),
)
OTHERWISE = "Check that Redis runs and answers, and SCALE_REDIS_URL"


def shown(url: str) -> str:
    """The URL as it may be shown: without user, password and query."""
    parts = urlsplit(url)
    if not parts.netloc:
        return "Redis"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Server:
    """One Redis, for one installation: its keys begin with the installation's id. Connects at its first use.

    installation: that id, which the database knows; to be set before anything is asked for.
    """

    def __init__(self, url: str, installation: str = "") -> None:
        """Raises BusUnavailable for a URL of no use."""
        self.url = url
        self.installation = installation
        with self.border("Reading SCALE_REDIS_URL"):
            self.redis = Redis.from_url(
                url,
                protocol=2,
                socket_timeout=ANSWER_LIMIT_S,
                socket_connect_timeout=ANSWER_LIMIT_S,
                retry=Retry(NoBackoff(), 0),  # what a second try would do twice, whoever calls decides
            )
        self._script = cache(self.redis.register_script)

    def key(self, kind: str, name: str) -> str:
        """All keys of an installation are in one slot of a cluster, since scripts change several."""
        return f"scale:{{{self.installation}}}:{kind}:{name}"

    async def run(self, doing: str, script: str, keys: Sequence[str], values: Sequence[str | bytes | int]) -> Any:
        """The answer of a Lua script. doing: what is tried, as in "Renewing a lease". Raises BusUnavailable."""
        with self.border(doing):
            return await self._script(script)(keys, values)

    async def ask(self, doing: str, *command: str | bytes | int) -> Any:
        """The answer to a command. Raises BusUnavailable."""
        with self.border(doing):
            return await self.redis.execute_command(*command)  # type: ignore[no-untyped-call]

    @contextmanager
    def border(self, doing: str) -> Iterator[None]:
        """Raise BusUnavailable for whatever Redis, its client or the network raise inside."""
        try:
            yield
        except (RedisError, OSError, ValueError) as error:
            answer = self._answer(error)
            advice = next((advice for sign, advice in ADVICE if sign in answer.lower()), OTHERWISE)
            raise BusUnavailable(f"{doing} failed on {shown(self.url)}: {answer}. {advice}.") from None

    def _answer(self, error: Exception) -> str:
        if isinstance(error, (TimeoutError, NoAnswer)):
            return "no answer in time"
        said = " ".join(str(error).split()).rstrip(". ") or type(error).__name__
        # The client quotes a URL that it cannot read.
        return said.replace(self.url, shown(self.url))

    async def identity(self) -> str:
        """The id of this Redis, the same for every server of the installation. Raises BusUnavailable."""
        await self.ask("Reading the id of Redis", "SET", self.key("id", "redis"), uuid.uuid4().hex, "NX")
        return str(await self.ask("Reading the id of Redis", "GET", self.key("id", "redis")), "ascii")

    async def remember(self, identity: str) -> None:
        """It is this one, whatever Redis has forgotten. Raises BusUnavailable."""
        await self.ask("Keeping the id of Redis", "SET", self.key("id", "redis"), identity)

    async def close(self) -> None:
        await self.redis.aclose()
