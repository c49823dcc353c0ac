"""The demo's process: `python -m scale_app.demo <owner pid>`; commands on stdin, reports on stdout, ends with stdin."""

from __future__ import annotations

import asyncio
import sys
from random import Random
from typing import BinaryIO

from scale_app.child_process import allow_all_files, claim_stdout, die_with_owner
from scale_app.codec import from_json, to_json
from scale_app.demo.cluster import PodCluster, pod_names
from scale_app.demo.connection import ClientConnection
from scale_app.domain.demo import DemoCommand, DemoRefusal, DemoReport
from scale_app.domain.errors import PlanError

HOST = "127.0.0.1"
BACKLOG = 1_024
COUNT_EVERY_S = 1.0
NAME_SEED = 1


class Control:
    """Obeys commands and reports to the owner."""

    def __init__(self, owner: BinaryIO) -> None:
        self._owner = owner
        self._url = ""
        later = asyncio.get_running_loop().call_later
        self.cluster = PodCluster(pod_names(NAME_SEED), Random(), later, self.report)

    def listening(self, port: int) -> None:
        self._url = f"http://{HOST}:{port}/"
        self.report()

    async def tell_counts(self) -> None:
        """Report every second in which the pods answered anything, for ever."""
        told: dict[str, int] = {}
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            answered = self.cluster.answered()
            if answered != told:
                told = answered
                self.report()

    def report(self, reply_to: int | None = None, refusal: DemoRefusal | None = None) -> None:
        self._owner.write(to_json(DemoReport(self.cluster.status(self._url), reply_to, refusal)) + b"\n")

    def obey(self, line: bytes) -> None:
        """Make the change of one command, if any, and answer it."""
        command = from_json(DemoCommand, line)
        refusal = None
        try:
            if command.change is not None:
                self.cluster.change(command.change)
        except PlanError as error:
            refusal = DemoRefusal(error.field, str(error.value), error.accepted)
        self.report(command.number, refusal)


async def serve(owner: BinaryIO) -> None:
    """Listen, then obey until standard input ends."""
    loop = asyncio.get_running_loop()
    control = Control(owner)
    server = await loop.create_server(lambda: ClientConnection(control.cluster), HOST, 0, backlog=BACKLOG)
    control.listening(server.sockets[0].getsockname()[1])
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    counting = asyncio.create_task(control.tell_counts())
    while line := await commands.readline():
        control.obey(line)
    counting.cancel()


def main() -> None:
    die_with_owner(int(sys.argv[1]))
    owner = claim_stdout()
    allow_all_files()
    asyncio.run(serve(owner))


if __name__ == "__main__":
    main()
