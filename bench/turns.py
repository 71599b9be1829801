"""A worker as far as the engine sees one: it takes runs, and nothing is done with them."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from bench.figures import BenchError
from bench.processes import HEADERS

HAND_OUT_SECONDS = 60


class Turns:
    """The turns of one session."""

    def __init__(self, http: httpx.Client, tasks: Sequence[str]) -> None:
        self._http = http
        self._version = self._post("register", {"tasks": [{"id": task} for task in tasks]})["version"]
        self._session = f"worker_{time.time_ns()}"
        self._sequence = 0

    def take_one(self) -> None:
        """One run more. Raises BenchError if there is none."""
        self._sequence += 1
        turn = {
            "session": self._session,
            "version": self._version,
            "sequence": self._sequence,
            "received": self._sequence - 1,
            "want": 1,
            "waitMs": 1_000,
        }
        if not self._post("turn", turn)["runs"]:
            raise BenchError("A worker got nothing although runs are queued.")

    def _post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.post(f"/worker/v1/{call}", json=body).raise_for_status().json()
        return answer


@contextmanager
def turns(address: str, tasks: Sequence[str]) -> Generator[Turns]:
    """A session of a worker that has these tasks, with the engine at this address."""
    with httpx.Client(base_url=address, headers=HEADERS, timeout=HAND_OUT_SECONDS) as http:
        yield Turns(http, tasks)
