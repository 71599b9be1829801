"""A child process: it makes the attempts of synchronous tasks, one after the other, in its main thread.

The worker talks to it over a socket. When the worker is gone the socket ends, and so does the child.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import nullcontext, suppress
from functools import partial
from queue import SimpleQueue
from types import FrameType
from typing import Any, NoReturn

import msgspec

from runfold.blocking import background_loop
from runfold.context import Cancellation
from runfold.definition import Task
from runfold.errors import SuspendedError
from runfold.journal import Journal
from runfold.log import Line
from runfold.worker.failures import describe
from runfold.worker.frames import Commit, Freeze, Go, Logged, Ready, Stop, ToChild, ToWorker, Wake, frame, receive
from runfold.worker.gathering import without_secrets
from runfold.worker.handed import Attempt
from runfold.worker.links import ChildLink
from runfold.worker.loading import load
from runfold.worker.logs import log_to_stdout
from runfold.worker.outcomes import Ended, Failed
from runfold.worker.performing import StoppedError, perform_sync
from runfold.worker.redacting import described
from runfold.worker.resolving import resolve_sync
from runfold.worker.tracing import set_up_tracing
from runfold.worker.wire import HandOut

STOP_SECONDS = 5.0
"""How long a task may take to end once it is told to stop."""

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from runfold.worker.child import main; main()"


def command(target: str, descriptor: int) -> list[str]:
    """How the worker starts a child, with the worker's own path for imports."""
    return [sys.executable, "-c", BOOT, json.dumps(sys.path), target, str(descriptor)]


def main() -> None:
    target, descriptor = sys.argv[2:]
    child = Child(socket.socket(fileno=int(descriptor)))
    # Ctrl-C and a service manager's SIGTERM reach all processes; the worker decides when its children end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, child.on_signal)
    with suppress(StoppedError, ConnectionError):
        child.serve(target)


class Child:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._writing = threading.Lock()
        self._link: ChildLink | None = None
        """Of the attempt that is under way."""
        self._journal: Journal | None = None
        self._attempts: SimpleQueue[tuple[Attempt, Cancellation]] = SimpleQueue()
        self._cancellation = Cancellation()
        self._stopping = False

    def serve(self, target: str) -> None:
        """Make attempts until told to stop."""
        tasks = load(target)
        log_to_stdout()
        spans = set_up_tracing()
        threading.Thread(target=self._listen, name="runfold", daemon=True).start()
        self._send(Ready())
        try:
            while not self._stopping:
                attempt, cancellation = self._attempts.get()
                with nullcontext() if spans is None else spans.inside(attempt.traceparent):
                    ended = self._make(tasks[attempt.run.task], attempt, cancellation)
                self._finish(ended)
        finally:
            if spans is not None:
                spans.close()

    def _make(self, task: Task[Any, Any], attempt: Attempt, cancellation: Cancellation) -> Ended:
        if attempt.run.kind == "auth":
            return resolve_sync(task, attempt, cancellation)
        assert self._journal is not None, "it was made when the attempt came"
        return perform_sync(task, attempt, cancellation, self._journal)

    def _send(self, message: ToWorker) -> None:
        # The code reports from the loop in the background, and ends in the main thread.
        with self._writing:
            self._connection.sendall(frame(message))

    def _log(self, run: str, line: Line) -> None:
        self._send(Logged(run, line))

    def _say(self, link: ChildLink, message: ToWorker) -> None:
        """What comes of code that has outlived its attempt belongs to no other one."""
        try:
            content = frame(message)
        except Exception as error:
            # The journal has a gap from here on.
            if link is self._link and self._journal is not None:
                self._journal.close(error)
            raise
        with self._writing:
            if link is self._link:
                self._connection.sendall(content)

    def _finish(self, ended: Ended) -> None:
        try:
            content = frame(ended)
        except Exception as error:  # noqa: BLE001 (by what is in it msgspec raises errors of several kinds)
            content = frame(Failed(describe(error), retryable=False))
        with self._writing:
            # Before the worker hears of the end, as the next attempt may come before this thread goes on.
            link, self._link = self._link, None
            journal, self._journal = self._journal, None
            self._connection.sendall(content)
        if link is not None and journal is not None:
            background_loop().call_soon_threadsafe(link.leave)
            background_loop().call_soon_threadsafe(journal.end)

    def on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        if self._stopping:
            raise StoppedError("The worker stops this run.")

    def _listen(self) -> NoReturn:
        decoder: msgspec.json.Decoder[ToChild] = msgspec.json.Decoder(ToChild)
        while True:
            try:
                message = decoder.decode(receive(self._connection))
            except (EOFError, OSError):
                message = Stop()  # the worker is gone
            match message:
                case Stop():
                    self._stop()
                case Go(attempt=attempt):
                    self._cancellation = Cancellation()
                    self._link = ChildLink(self._say)
                    self._journal = _journal_of(attempt.run, self._link)
                    self._journal.log = without_secrets(attempt.run, partial(self._log, attempt.run.id))
                    self._attempts.put((attempt, self._cancellation))
                case _:
                    background_loop().call_soon_threadsafe(self._tell, message)

    def _tell(self, message: Commit | Wake | Freeze) -> None:
        match message:
            case Commit(index=index):
                if self._link is not None:
                    self._link.commit(index)
            case Wake(wait=wait, outcome=outcome):
                if self._journal is not None:
                    self._journal.wake(wait, outcome)
            case Freeze():
                if self._journal is not None:
                    self._journal.suspend(SuspendedError("The run waits, and goes on elsewhere."))

    def _stop(self) -> NoReturn:
        """End the attempt: by the task itself if it watches for it, by an exception otherwise, by force at last."""
        self._stopping = True
        self._cancellation.set()
        if self._journal is not None:
            # What the code does when it is told to stop, it does not do when it goes on elsewhere.
            self._journal.stop(StoppedError("The worker stops this run."))
        if not self._cancellation.is_watched:
            # A real signal, so that sleeping and waiting end as well.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os._exit(1)


def _journal_of(run: HandOut, link: ChildLink) -> Journal:
    return Journal(run.id, run.attempt, run.journal, link, partial(described, run), loop=background_loop())
