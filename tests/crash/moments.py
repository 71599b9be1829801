"""The moments around an entry of a run's journal, at each of which a process dies once.

Steps are named for the moment at which somebody dies; so are, by their number, triggers and waits.
"""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from tests.crash.death import children_of

IN_THE_BODY = ("begun", "done")
OF_THE_REPORT = ("unsent", "sent", "answered")
"""Before it leaves the worker; on its way, or right after; when its answer is there, and nobody has been told."""
LEFT = "left"
"""The code has gone on."""
OF_STEPS = (*IN_THE_BODY, *OF_THE_REPORT, LEFT)
NUMBERED = ("trigger child", "wait.for")
ON_ITS_WAY_SECONDS = 0.001


class Moments:
    """What of it has come is marked by files of this folder. The victim is the worker, its child processes, or none."""

    def __init__(self, folder: Path, victim: str) -> None:
        self._folder = folder
        self._victim = victim

    @classmethod
    def of_environment(cls) -> "Moments":
        """As the processes of a worker are told."""
        return cls(Path(os.environ["CRASH_FOLDER"]), os.environ["CRASH_VICTIM"])

    def in_code(self, moment: str, step: str) -> None:
        """The code of a run, in the worker or in a child process of it, is there."""
        if self._is_due(moment, step, 1):
            is_child = os.environ["CRASH_WORKER"] != str(os.getpid())
            os.kill(os.getppid() if is_child and self._victim == "worker" else os.getpid(), signal.SIGKILL)
            # A child whose worker is gone ends when it sees that.
            time.sleep(60)

    def in_worker(self, moment: str, entry: dict[str, Any]) -> None:
        """The worker is there with a report."""
        if self._is_due(moment, entry["name"], entry.get("number", 1)):
            self._kill()

    def soon_in_worker(self, moment: str, entry: dict[str, Any]) -> threading.Timer | None:
        """The worker will be there in a moment; what it does next has to wait for that."""
        if not self._is_due(moment, entry["name"], entry.get("number", 1)):
            return None
        # Child processes are not on the way of the report any more.
        timer = threading.Timer(ON_ITS_WAY_SECONDS if self._victim == "worker" else 0, self._kill)
        timer.start()
        return timer

    def _kill(self) -> None:
        for process in [os.getpid()] if self._victim == "worker" else children_of(os.getpid()):
            os.kill(process, signal.SIGKILL)

    def _is_due(self, moment: str, name: str, number: int) -> bool:
        due = OF_THE_REPORT[(number - 1) % len(OF_THE_REPORT)] if name in NUMBERED else name
        if moment != due or self._victim == "nobody":
            return False
        try:
            (self._folder / f"{name} {number}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True
