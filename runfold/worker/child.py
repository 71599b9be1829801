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
from queue import SimpleQueue
from types import FrameType
from typing import NoReturn

import msgspec

from runfold.context import Cancellation
from runfold.worker.frames import Go, Ready, Stop, ToChild, frame, receive
from runfold.worker.handed import Attempt
from runfold.worker.loading import load
from runfold.worker.logs import log_to_stdout
from runfold.worker.performing import StoppedError, perform_sync
from runfold.worker.resolving import resolve_sync
from runfold.worker.tracing import set_up_tracing

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
        self._attempts: SimpleQueue[tuple[Attempt, Cancellation]] = SimpleQueue()
        self._cancellation = Cancellation()
        self._stopping = False

    def serve(self, target: str) -> None:
        """Make attempts until told to stop."""
        tasks = load(target)
        log_to_stdout()
        spans = set_up_tracing()
        threading.Thread(target=self._listen, name="runfold", daemon=True).start()
        self._connection.sendall(frame(Ready()))
        try:
            while not self._stopping:
                attempt, cancellation = self._attempts.get()
                with nullcontext() if spans is None else spans.inside(attempt.traceparent):
                    make = resolve_sync if attempt.run.kind == "auth" else perform_sync
                    outcome = make(tasks[attempt.run.task], attempt, cancellation)
                self._connection.sendall(frame(outcome))
        finally:
            if spans is not None:
                spans.close()

    def on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        if self._stopping:
            raise StoppedError("The worker stops this run.")

    def _listen(self) -> NoReturn:
        decoder: msgspec.json.Decoder[Go | Stop] = msgspec.json.Decoder(ToChild)
        while True:
            try:
                message = decoder.decode(receive(self._connection))
            except (EOFError, OSError):
                message = Stop()  # the worker is gone
            if isinstance(message, Stop):
                self._stop()
            self._cancellation = Cancellation()
            self._attempts.put((message.attempt, self._cancellation))

    def _stop(self) -> NoReturn:
        """End the attempt: by the task itself if it watches for it, by an exception otherwise, by force at last."""
        self._stopping = True
        self._cancellation.set()
        if not self._cancellation.is_watched:
            # A real signal, so that sleeping and waiting end as well.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os._exit(1)
