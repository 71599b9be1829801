"""A child process that is slower than the worker that it speaks to."""

import json
import socket
import subprocess
import sys

import msgspec

from runfold.worker.children import facts_of
from runfold.worker.frames import Go, Ready, ToWorker, frame, receive
from runfold.worker.handed import Attempt
from runfold.worker.outcomes import Succeeded
from runfold.worker.wire import Environment, HandOut, Report

SLOW_CHILD = """
import socket, sys, threading
from queue import Queue
from runfold.worker.child import Child

class Attempts(Queue):
    puts = 0
    second = threading.Event()

    def put(self, item):
        super().put(item)
        self.puts += 1
        if self.puts == 2:
            self.second.set()

class Line:
    # Whoever says that the first attempt has ended goes on when the second one has come.
    def __init__(self, line):
        self.recv = line.recv
        self._line = line

    def sendall(self, message):
        self._line.sendall(message)
        if b'"Succeeded"' in message:
            child._attempts.second.wait()

child = Child(Line(socket.socket(fileno=int(sys.argv[1]))))
child._attempts = Attempts()
child.serve("tests.sdk.jobs")
"""
WHO = HandOut(id="run_1", token=1, task="who", created_at=0, environment=Environment("env_1", "dev", "DEVELOPMENT"))


def test_an_attempt_that_comes_before_the_end_of_the_last_one_is_over_has_its_own_journal() -> None:
    ours, theirs = socket.socketpair()
    path = f"import sys, json; sys.path[:] = json.loads({json.dumps(sys.path)!r})"
    command = [sys.executable, "-c", f"{path}\n{SLOW_CHILD}", str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as child, ours:
        theirs.close()
        heard = [_next(ours)]
        for token in (1, 2):
            ours.sendall(frame(Go(Attempt(msgspec.structs.replace(WHO, token=token), "20260101.1", 0))))
            heard.append(_next(ours))
        child.kill()

    assert heard == [Ready(), *[Succeeded(msgspec.Raw(str(child.pid).encode()))] * 2]


def _next(line: socket.socket) -> object:
    return msgspec.json.decode(receive(line), type=ToWorker)


def test_that_no_run_was_there_already_is_said_and_what_is_empty_is_not() -> None:
    said = Report("run_1", 1, "triggered", 0, entry={"index": 0}, runs=["run_2"], cached=())

    assert facts_of(said) == {"entry": {"index": 0}, "runs": ["run_2"], "cached": ()}
