"""What clients ask for, and what must become of it."""

import random
from typing import Any

import msgspec
from msgspec import Struct

from domain.status import Status

LARGE_CHARACTERS = 40_000
"""More than an event holds: such payloads and results are kept beside it."""
SHARED_KEYS = 12
"""So few idempotency keys are shared by so many clients that they meet."""


class Job(Struct, frozen=True):
    """One run to ask for. Its payload has a name under `n` that no other has."""

    task: str
    payload: dict[str, Any]
    status: Status = Status.COMPLETED
    output: Any = None
    options: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """How the run is told in the ledger."""
        name: str = self.payload["n"]
        return name

    def body(self) -> dict[str, Any]:
        """As the API takes it."""
        return {"payload": self.payload, "options": self.options}


class Request(Struct):
    """One call with its own key, which all its repetitions carry; `runs` is what it was answered."""

    key: str
    jobs: list[Job]
    is_batch: bool = False
    runs: list[str] = []

    @property
    def path(self) -> str:
        """Where it goes."""
        return f"/api/v1/tasks/{self.jobs[0].task}/{'batch' if self.is_batch else 'trigger'}"

    def body(self) -> dict[str, Any]:
        """What is sent."""
        return {"items": [job.body() for job in self.jobs]} if self.is_batch else self.jobs[0].body()

    def answered(self, answer: dict[str, Any]) -> None:
        """Note the answer. Another one than before breaks the promise of the request's key."""
        runs = [each["id"] for each in answer["runs"]] if self.is_batch else [answer["id"]]
        assert not self.runs or runs == self.runs, f"request {self.key} got {self.runs}, and now {runs}"
        self.runs = runs


def next_request(chance: random.Random, key: str) -> Request:
    """Any request."""
    task = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    if task not in _COSTLY and chance.random() < 0.3:
        jobs = [_job(chance, task, f"{key}/{index}") for index in range(chance.randint(2, 6))]
        if task in _LASTING:
            jobs[0] = _keyed(chance, task)
        return Request(key, jobs, is_batch=True)
    if task in _LASTING and chance.random() < 0.3:
        return Request(key, [_keyed(chance, task)])
    return Request(key, [_job(chance, task, key)])


def _keyed(chance: random.Random, task: str) -> Job:
    """A run that several requests ask for, always in the same words."""
    key = f"{task}-key-{chance.randrange(SHARED_KEYS)}"
    return msgspec.structs.replace(_job(random.Random(key), task, key), options={"idempotencyKey": key})


def _job(chance: random.Random, task: str, name: str) -> Job:
    output: Any = {"n": name}
    match task:
        case "add":
            a, b = chance.randrange(1_000), chance.randrange(1_000)
            return Job(task, output | {"a": a, "b": b}, output=output | {"sum": a + b}, options=_options(chance))
        case "reverse":
            text = f"{name} " * (LARGE_CHARACTERS // len(name))
            return Job(task, output | {"text": text}, output=output | {"text": text[::-1]})
        case "journey":
            return Job(task, output, output=output | {"sum": 3}, options=_options(chance))
        case "doomed":
            return Job(task, output, Status.FAILED)
        case "deadly":
            return Job(task, output, Status.CRASHED)
        case _:
            return Job(task, output, output=output, options=_options(chance))


def _options(chance: random.Random) -> dict[str, Any]:
    return {"delay": "1s"} if chance.random() < 0.1 else {}


_WEIGHTS = {"add": 35, "slow": 12, "flaky": 12, "doomed": 5, "reverse": 16, "journey": 18, "mortal": 1, "deadly": 1}
_COSTLY = ("mortal", "deadly")
"""Each attempt takes a process with it, and a new one takes half a second."""
_LASTING = ("add", "slow", "flaky", "reverse", "journey", "mortal")
"""Tasks whose runs complete, and so keep their idempotency key."""
