"""Another machine's worker: `scale worker` waits for runs of its coordinator, and forks processes for each of them."""

from __future__ import annotations

import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence
from typing import Any

import gevent
import zmq.green as zmq
from gevent.event import Event
from locust.exception import RPCError
from locust.rpc import Message, zmqrpc

from scale_app.child_process import allow_all_files
from scale_app.codec import from_json
from scale_app.domain.errors import PlanError
from scale_app.log_lines import write_log
from scale_app.worker.engine import engine_of
from scale_app.worker.listener import EncryptedClient, Keys, code_version, encrypt_sockets, keys_of
from scale_app.worker.traffic import Assignment
from scale_app.worker.worker_process import WorkerProcess, fork
from scale_app.worker.worker_roster import ForkedProcess

log = logging.getLogger("scale worker")
ANSWER_WITHIN_S = 3.0
ASK_AGAIN_S = 1.0
REFUSED = zmq.EVENT_CLOSED
"""Of an attempt to connect."""
CUT = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
WATCHED = zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | CUT | REFUSED
CUT_BY_A_STRANGER = 2
"""Times: a coordinator cuts whoever has another secret each time, one that ends cuts once and is gone."""
ABSENT = "Waiting for a run: nothing listens at {coordinator} now."
UNKNOWN = "Waiting: {coordinator} answers, but does not accept this worker's secret."
SILENT = "Waiting: {coordinator} is reached, but does not answer now, as at the end of a run."
FULL = "Waiting: the run at {coordinator} has all its workers."


class RemoteWorker:
    """One machine's processes for the runs of one coordinator."""

    def __init__(self, keys: Keys, host: str, port: int, processes: int) -> None:
        self._keys = keys
        self._host = host
        self._port = port
        self._most = processes
        self._said = ""
        self._processes: list[ForkedProcess] = []
        self._changed = Event()
        self._leaving = False
        self._handlers: list[Any] = []

    def serve(self) -> None:
        """Run after run, until SIGTERM or Ctrl-C; then the requests in flight are still answered and counted."""
        self._handlers = [gevent.signal_handler(number, self._leave) for number in (signal.SIGTERM, signal.SIGINT)]
        while not self._leaving:
            reply = self._ask()
            if reply is not None and reply.type == "assignment":
                self._work(from_json(Assignment, reply.data["assignment"]), reply.data["places"])
            elif reply is not None and reply.type == "refused":
                sys.exit(reply.data["sentence"])
            else:
                self._changed.wait(ASK_AGAIN_S)

    def _leave(self) -> None:
        self._leaving = True
        for process in self._processes:
            process.signal(signal.SIGTERM)
        self._changed.set()

    def _ask(self) -> Message | None:
        """Ask the coordinator for work. None without an answer; why is logged when it is another reason than before."""
        name = f"hello_{uuid.uuid4().hex}"
        client: zmqrpc.BaseSocket = EncryptedClient(self._keys, self._host, self._port, name)
        events = client.socket.get_monitor_socket(WATCHED)
        try:
            asked = {"version": code_version(), "processes": self._most}
            client.send(Message("hello", asked, name))
            reply: Message | None = None
            with gevent.Timeout(ANSWER_WITHIN_S, False):
                reply = client.recv()
            if reply is None or reply.type == "full":
                self._say(FULL if reply is not None else _silence(events))
            return reply
        except RPCError:
            return None
        finally:
            client.socket.disable_monitor()
            events.close(linger=0)
            client.close(linger=0)
            client.socket.context.term()

    def _work(self, assignment: Assignment, places: int) -> None:
        log.warning("Sending load to %s with %d processes.", assignment.target.url, places)
        self._said = ""
        try:
            engine_of(assignment)
        except (PlanError, ValueError) as error:
            log.warning("The run cannot be joined from here: %s", error)
            gevent.sleep(ASK_AGAIN_S)
            return

        def life() -> None:
            for handler in self._handlers:
                handler.cancel()
            WorkerProcess(assignment, self._host, self._port, local=False).serve()

        self._processes = [fork(life, lambda _: self._changed.set()) for _ in range(places)]
        while not all(process.exited for process in self._processes):
            self._changed.clear()
            self._changed.wait(ASK_AGAIN_S)
        log.warning("Done: %s.", ", ".join(process.exited for process in self._processes))

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            log.warning(sentence.format(coordinator=f"{self._host}:{self._port}"))


def _silence(events: Any) -> str:
    """Why the coordinator said nothing, from what happened to the connection."""
    from zmq.utils.monitor import recv_monitor_message  # not for every worker process: it imports asyncio

    seen = list[int]()
    while events.poll(0):
        seen.append(recv_monitor_message(events)["event"])
    return silence_of(seen)


def silence_of(events: Sequence[int]) -> str:
    """Why nothing was said on a connection to which this happened, in order."""
    if zmq.EVENT_HANDSHAKE_SUCCEEDED in events:
        return FULL
    if zmq.EVENT_CONNECTED not in events or REFUSED in events:
        return ABSENT
    stranger = zmq.EVENT_HANDSHAKE_FAILED_AUTH in events or events.count(CUT) >= CUT_BY_A_STRANGER
    return UNKNOWN if stranger else SILENT


def serve_runs(host: str, port: int, processes: int, secret: str) -> None:
    """The whole life of `scale worker`."""
    write_log(logging.WARNING)
    allow_all_files()
    keys = keys_of(secret)
    encrypt_sockets(keys)
    RemoteWorker(keys, host, port, processes).serve()
    os._exit(0)
