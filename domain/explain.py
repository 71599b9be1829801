"""Why a run is where it is, and what it waits for: in one sentence, and as data."""

from collections.abc import Collection
from typing import Any

from domain import explain_waits
from domain.builtin import is_reserved
from domain.durations import iso
from domain.eligibility import IsServed, eligible
from domain.environment import Environment
from domain.explanation import NAMED_MAX, Explanation, named
from domain.lanes import kind_of
from domain.memory import Memory
from domain.run import Run
from domain.sessions import Session
from domain.slots import slots_of
from domain.status import Status

UNTOLD = "which workers were connected, the ledger does not tell"


class Explainer:
    """What the engine knows at one moment; of the past it does not know which workers were connected: None."""

    def __init__(self, memory: Memory, sessions: Collection[Session] | None, is_served: IsServed, now: int) -> None:
        self._memory = memory
        self._sessions = sessions
        self._is_served = is_served
        self._now = now

    def explain(self, run: Run) -> Explanation:
        """Why the run is where it is."""
        environment = self._memory.environment(run.environment)
        assert environment is not None, "a run has an environment"
        match run.status:
            case Status.PENDING_VERSION:
                return self._version(run, environment)
            case Status.PENDING:
                return self._auth(run, environment)
            case Status.WAITING_ON_CONNECTIONS:
                return self._connections(run, environment)
            case Status.DELAYED | Status.REATTEMPTING:
                return _until(run)
            case Status.QUEUED:
                return _going_on(run, self._hindrance(run) or self._worker(run, environment))
            case Status.DEQUEUED:
                return _going_on(run, _held(run))
            case Status.EXECUTING:
                return explain_waits.beside(run, self._memory, _held(run))
            case Status.WAITING if run.is_awake:
                return explain_waits.awake(run, self._hindrance(run))
            case Status.WAITING | Status.FROZEN:
                return explain_waits.blocked(run, self._memory)
            case _:
                return _ended(run)

    def _version(self, run: Run, environment: Environment) -> Explanation:
        gates = self._memory.gates(environment, self._now)
        version, _ = gates.version_for(run.task, run.lock)
        data = {"task": run.task, "version": run.lock or version}
        if version is not None:
            sentence = f"Its payload is being checked by the schema of version {version}."
            return Explanation("payload", sentence, data)
        if run.lock is not None:
            return Explanation("version", f"It waits for version {run.lock}, which is not there yet.", data)
        knowing = [version for version, tasks in environment.versions.items() if run.task in tasks]
        if knowing:
            sentence = f"Version {knowing[-1]} has the task {run.task}, but was not promoted."
            return Explanation("version", sentence, data | {"version": knowing[-1]})
        return Explanation("version", f"No version knows the task {run.task} yet.", {"task": run.task})

    def _auth(self, run: Run, environment: Environment) -> Explanation:
        if self._sessions is None:
            version, _ = self._memory.gates(environment, self._now).version_for(run.task, run.lock)
            sentence = f"It waited for a worker of version {version} to ask the auth resolver of its task; {UNTOLD}."
            return Explanation("auth", sentence, {"version": version})
        asked = next((each.id for each in self._sessions if run.id in each.resolving), None)
        version, _ = self._memory.gates(environment, self._now).version_for(run.task, run.lock)
        if asked:
            sentence = f"Worker {asked} is asking the auth resolver of its task."
            return Explanation("auth", sentence, {"worker": asked, "version": version})
        able = self._is_served(environment.id, version, None) if version else False
        none = "" if able else ", and none is connected"
        sentence = f"It waits for a worker of version {version} to ask the auth resolver of its task{none}."
        return Explanation("auth", sentence, {"version": version})

    def _connections(self, run: Run, environment: Environment) -> Explanation:
        gates = self._memory.gates(environment, self._now)
        _, settings = gates.version_for(run.task, run.lock)
        missing = list(gates.missing(settings)) if settings else []
        what = "the connection" if len(missing) == 1 else "the connections"
        return Explanation("connections", f"It waits for {what} {', '.join(missing)}.", {"connections": missing})

    def _hindrance(self, run: Run) -> Explanation | None:
        """What keeps its queue from starting it."""
        return self._paused(run) or self._slots(run) or self._rate(run)

    def _paused(self, run: Run) -> Explanation | None:
        if not self._memory.limits.gate(run.environment, run.queue).is_paused:
            return None
        return Explanation("paused", f"Queue {run.queue} is paused.", {"queue": run.queue})

    def _slots(self, run: Run) -> Explanation | None:
        ready, limits = self._memory.ready, self._memory.limits
        limit, slots = limits.gate(run.environment, run.queue).limit, slots_of(run)
        if limit is not None and ready.taken(slots) >= limit:
            taken, holders = ready.taken(slots), ready.holders(slots)
            data: dict[str, Any] = {"queue": run.queue, "limit": limit, "takenBy": holders[:NAMED_MAX]}
            where = f"queue {run.queue}"
            if run.concurrency_key is not None:
                data["concurrencyKey"] = run.concurrency_key
                where += f" for the concurrency key {run.concurrency_key}"
            return Explanation("limit", _full(where, taken, limit, _by(holders)), data)
        most, taken = limits.limit_in_all(run.environment), ready.taken_in_all(run.environment)
        if most is not None and taken >= most:
            sentence = _full("the whole environment", taken, most)
            return Explanation("environment_limit", sentence, {"limit": most, "taken": taken})
        return None

    def _rate(self, run: Run) -> Explanation | None:
        opens_at = self._memory.limits.opens_at(run.environment, run.queue, self._now)
        if opens_at is None or opens_at <= self._now:
            return None
        rate = self._memory.limits.gate(run.environment, run.queue).rate
        assert rate is not None, "only a rate limit names a time"
        per = f"{rate.limit} start{'' if rate.limit == 1 else 's'} in {rate.period_ms / 1_000:g} s"
        data = {"queue": run.queue, "limit": rate.limit, "periodMs": rate.period_ms, "until": iso(opens_at)}
        sentence = f"Queue {run.queue} has used up its rate of {per}; the next one is possible at {iso(opens_at)}."
        return Explanation("rate_limit", sentence, data)

    def _worker(self, run: Run, environment: Environment) -> Explanation:
        if self._sessions is None:
            return self._ready(run, environment)
        kind, here = kind_of(run), [each for each in self._sessions if each.environment == environment.id]
        able = [each for each in here if eligible(each, environment, self._is_served)(kind)]
        last = run.last_version
        if last and not self._is_served(environment.id, last, run.machine):
            last = None
        version = run.lock or last or environment.home(run.task)
        data: dict[str, Any] = {"task": run.task, "version": version, "queue": run.queue}
        if run.machine is not None:
            data["machine"] = run.machine
        if not able:
            machine = f" that takes the machine {run.machine}" if run.machine else ""
            whom = f"a worker of version {version}{machine}"
            if is_reserved(run.task):
                whom = "an executor (`runfold executor`), as the engine makes no calls itself"
            return Explanation("no_worker", f"It waits for {whom}, and none is connected.", data)
        data["workers"] = [each.id for each in able][:NAMED_MAX]
        data["queued"] = self._memory.ready.depth(run.environment, run.queue)
        who = "the worker that may execute it" if len(able) == 1 else f"one of {len(able)} workers that may execute it"
        if not any(each.takes_runs for each in able):
            who += "; all are busy" if len(able) > 1 else ", which is busy"
        place = _place(data["queued"])
        sentence = f"It is {place} in queue {run.queue}, and waits for its turn at {who}."
        return Explanation("turn", sentence, data)

    def _ready(self, run: Run, environment: Environment) -> Explanation:
        """Nothing kept it but that a worker had to take it."""
        version, queued = run.lock or environment.home(run.task), self._memory.ready.depth(run.environment, run.queue)
        data: dict[str, Any] = {"task": run.task, "version": version, "queue": run.queue, "queued": queued}
        if run.machine is not None:
            data["machine"] = run.machine
        sentence = f"It was {_place(queued)} in queue {run.queue} that a worker might have taken; {UNTOLD}."
        return Explanation("ready", sentence, data)


def _place(queued: int) -> str:
    return "the only run" if queued == 1 else f"one of {queued} runs"


def _until(run: Run) -> Explanation:
    assert run.due_at is not None, "what waits for a time has one"
    until = iso(run.due_at)
    if run.status is Status.DELAYED:
        return Explanation("delay", f"It is delayed until {until}.", {"until": until})
    sentence = f"Attempt {run.attempts} failed; the next one may start at {until}."
    return Explanation("backoff", sentence, {"attempt": run.attempts, "until": until})


def _held(run: Run) -> Explanation:
    data: dict[str, Any] = {"worker": run.worker, "version": run.worker_version}
    if run.status is Status.DEQUEUED:
        sentence = f"It was handed to worker {run.worker}, which has not said yet that it started."
        return Explanation("handed_out", sentence, data)
    if run.started_at is None:
        # What follows an attempt is in the same commit, so only who looks between two of its events sees this.
        sentence = f"Attempt {run.attempts} is over; the next event of the run says what became of it."
        return Explanation("attempt_over", sentence, {"attempt": run.attempts})
    data |= {"attempt": run.attempts, "since": iso(run.started_at)}
    sentence = f"Worker {run.worker} has been executing attempt {run.attempts} since {iso(run.started_at)}."
    return Explanation("executing", sentence, data)


def _going_on(run: Run, told: Explanation) -> Explanation:
    return explain_waits.resuming(run, told) if run.is_suspended else told


def _ended(run: Run) -> Explanation:
    at = iso(run.ended_at) if run.ended_at is not None else None
    when = f", at {at}" if at else ""
    return Explanation("ended", f"It has ended as {run.status}{when}.", {"status": run.status.value, "at": at})


def _full(where: str, taken: int, limit: int, by: str = "") -> str:
    if limit == 0:
        return f"The limit of {where} is 0: nothing in it may start."
    slots, are = ("slot", "is") if limit == 1 else ("slots", "are")
    return f"{taken} of {limit} {slots} of {where} {are} taken{by}."


def _by(runs: list[str]) -> str:
    return f" by {named(runs)}" if runs else ""
