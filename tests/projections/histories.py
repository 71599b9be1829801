"""Valid histories: random walks over the transition table, with everything that runs share a ledger with."""

from collections.abc import Callable, Sequence
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from msgspec import Raw

from domain import events as e
from domain import states
from domain.batch import Batch
from domain.bulk import Bulk
from domain.calendar import Tick
from domain.erasure import Erasure
from domain.events import BlobRef, Entry, Event, Recorded, RunError, RunEvent, TaskSettings
from domain.job import Job
from domain.named_event import NamedEvent
from domain.run import Run
from domain.schedule import Schedule
from domain.sink import Sink
from domain.states import WRITER, State
from domain.status import FINAL, Status
from domain.timing import Every, Timetable, local_text
from domain.transitions import TRANSITIONS
from domain.waitpoint import Waitpoint

ENVIRONMENTS = ("env_a", "env_b")
TASKS = ("greet", "mail")
TAGS = ("blue", "green", "red")
VERSIONS = ("20260101.1", "20260102.1")
BATCHES = ("batch_1", "batch_2")
SCHEDULES = ("sched_1", "sched_2")
JOBS = ("job_1", "job_2", "job_3")
MOMENT = 1_700_000_000_000

chances = st.integers(0, 2**32 - 1).map(Random)
"""Sources of chance for `history`; a seed that fails is printed."""

unhurried = settings(deadline=None, max_examples=40)
"""For properties that meet a database, or a machine that has other things to do."""

_JOURNALED = frozenset({e.StepSucceeded, e.StepFailed, e.StepTryFailed, e.ChildrenTriggered, e.WaitStarted})
_NEEDS_ATTEMPT = frozenset(
    {
        e.AttemptSucceeded,
        e.AttemptFailed,
        e.RunTimedOut,
        e.RunBlocked,
        e.RunResumed,
        e.RunFrozen,
        e.RunLogged,
        *_JOURNALED,
    }
)
_FOLLOWS_ATTEMPT = frozenset({e.RetryScheduled, e.RunFailed})


class Historian:
    """Writes down what happens to a few aggregates; `chance` decides what does."""

    def __init__(self, chance: Random) -> None:
        self.records: list[Recorded] = []
        self.states: dict[str, State] = {}
        self.chance = chance
        self.now = MOMENT

    def record(self, stream: str, event: Event, environment: str) -> None:
        before = self.states.get(stream)
        recorded = Recorded(
            position=len(self.records) + 1,
            stream=stream,
            version=before.version + 1 if before else 1,
            environment=environment,
            occurred_at=self.now - self.chance.choice((0, 3)),
            recorded_at=self.now,
            actor="test",
            cause="test",
            event=event,
        )
        self.states[stream] = states.evolve(before, recorded)
        self.records.append(recorded)

    def go_on(self) -> None:
        """Let one more thing happen."""
        self.now += self.chance.choice((0, 0, 1, 700))
        runs = [state for state in self.states.values() if isinstance(state, Run)]
        if not runs or self.chance.random() < 0.2:
            self._trigger()
        elif self.chance.random() < 0.1:
            self._something_else()
        else:
            run = self.chance.choice(runs)
            if run.is_archived:
                self._trigger()
                return
            kind = self.chance.choice(_possible(run))
            self.record(run.id, _EVENTS[kind](run, self.chance), run.environment)

    def _trigger(self) -> None:
        chance = self.chance
        task = chance.choice(TASKS)
        event = e.RunTriggered(
            task,
            chance.choice((f"task/{task}", "task/greet", "urgent")),
            payload=Raw(b"1"),
            payload_size=1,
            tags=tuple(chance.sample(TAGS, chance.randrange(3))),
            metadata=chance.choice((e.NOTHING, Raw(b'{"a": 1}'))),
            ttl_ms=chance.choice((None, 500)),
            is_test=chance.random() < 0.3,
            batch=chance.choice((None, None, *BATCHES)),
            idempotency_key=chance.choice((None, "once")),
            schedule=chance.choice((None, None, *map(_scheduled, SCHEDULES))),
            job=chance.choice(
                (None, None, e.JobRef(chance.choice(JOBS), "Ping", self.now - chance.choice((0, 0, 500))))
            ),
        )
        self.record(run_id(self.now, len(self.records)), event, chance.choice(ENVIRONMENTS))

    def _something_else(self) -> None:
        environment = self.chance.choice(ENVIRONMENTS)
        number = len(self.records)
        if environment not in self.states:
            self.record(environment, e.EnvironmentCreated("dev", "DEVELOPMENT"), environment)
            return
        version = e.VersionRegistered(f"v{number}", f"d{number}", (TaskSettings("greet"),))
        happenings: tuple[tuple[str, Event], ...] = (
            (environment, version),
            (environment, e.ApiKeyCreated(f"{number:064x}", "rf_…")),
            (environment, e.ApiKeySealed(f"{number:064x}", "1.aa.")),
            (environment, e.VariableSaved(f"V{number % 3}", f"1.aa.{number}")),
            (f"packet_{number}", e.PacketStored(BlobRef(f"packet_{number}/payload", "00", 2), "text/plain")),
            (f"conn_{environment}", e.ConnectionSaved("mail", f"1.aa.{number}", "aa")),
            (f"conn_{environment}", e.ConnectionSaved("mail", f"1.bb.{number}", "bb")),
            ("key_1", e.KeyClaimed("run_1", self.now + 5)),
            (f"job_{number}", e.JobCreated(_SPEC, "active")),
            (f"alert_{number}", e.ChannelSaved(_CHANNEL)),
            ("secret_1", e.SecretSaved("token", f"1.aa.{number}", "aa", number)),
            (f"batch_{number}", e.BatchTriggered(("run_1",))),
            (f"batch_{number}", e.BatchCreated(1, self.now + 5)),
            (f"bulk_{number}", e.BulkStarted("CANCEL", runs=("run_1",))),
            *self._further(),
            (stream_id("waitpoint", self.now, number), self._token()),
            (f"event_{number}", _sent(self.chance.choice((None, self.now + 700)))),
            (stream_id("sched", self.now, number), e.ScheduleCreated("IMPERATIVE", _PLAN, _tick(self.now), "mine")),
            (f"erasure_{number}", e.ErasureRecorded(("run_1",), {1: f"{number:064x}"})),
            (f"sink_{number}", e.SinkAdded(e.SinkSpec("audit", "https://example.com"), number)),
            (WRITER, e.WriterStarted(number)),
            ("queue_1", self.chance.choice(_OF_A_QUEUE)),
        )
        stream, event = self.chance.choice(happenings)
        if stream in self.states and isinstance(event, e.ConnectionSaved) and self.chance.random() < 0.5:
            event = e.ConnectionRemoved("mail")
        self.record(stream, event, environment)

    def go_on_with_tokens(self) -> None:
        """Let one more thing happen to a token."""
        self.now += self.chance.choice((0, 0, 1, 700))
        waiting = [each for each in self.states.values() if isinstance(each, Waitpoint) and not each.is_over]
        if waiting and self.chance.random() < 0.4:
            token = self.chance.choice(waiting)
            self.record(token.id, self.chance.choice(_further_of(token)), token.environment)
        else:
            stream = stream_id("waitpoint", self.now, len(self.records))
            self.record(stream, self._token(), self.chance.choice(ENVIRONMENTS))

    def _token(self) -> e.WaitpointCreated:
        chance = self.chance
        return e.WaitpointCreated(
            chance.choice((None, self.now + 5)),
            tuple(chance.sample(TAGS, chance.randrange(3))),
            *chance.choice(((None, None, "5ec7e7"), ("once", self.now + 700, ""), ("two\0", self.now + 900, "5ec7e7"))),
        )

    def _further(self) -> list[tuple[str, Event]]:
        """What may follow in the batches and bulk actions that are not over."""
        kinds = Batch | Bulk | Erasure | Sink | Waitpoint | Schedule | Job | NamedEvent
        alive = [state for state in self.states.values() if isinstance(state, kinds) and states.is_kept(state)]
        return [(state.id, self.chance.choice(_further_of(state))) for state in alive[-2:]]


_CHANNEL = e.ChannelSpec("ops", "email", ("failure",), to=("ada@example.com",))
_SPEC = e.JobSpec("Ping", "one_time", Raw(b"{}"), 3)


def _scheduled(schedule: str) -> e.Scheduled:
    return e.Scheduled(schedule, 1, 7)


def _sent(deliver_at: int | None) -> e.EventSent:
    return e.EventSent("1", "user.created", 1, "shop", Raw(b"1"), context=Raw(b"{}"), deliver_at=deliver_at)


def _further_of(state: State) -> list[Event]:
    match state:
        case Batch() if state.takes_items:
            return [e.BatchItemsAccepted({0: "run_1"}), e.BatchSealed(), e.BatchExpired()]
        case Sink():
            return [e.SinkAdvanced(state.position + 1), e.SinkRemoved()]
        case Erasure():
            return [e.ErasureCompleted()]
        case NamedEvent():
            return [e.EventPartlyDelivered(("run_1",), "task/a"), e.EventDelivered(("run_1",)), e.EventCanceled("gone")]
        case Job():
            return [e.JobPaused(), e.JobChanged(_SPEC), e.JobDeleted()]
        case Waitpoint():
            return [e.WaitpointCompleted(Raw(b"1")), e.WaitpointTimedOut()]
        case Batch():
            return [e.BatchCompleted(), e.BatchAborted()]
        case Schedule(next=following):
            tick = following or _tick(state.updated_at)
            return [
                e.TicksFired(tick, ("run_1",), _tick(tick.at)),
                e.TicksSkipped(tick, "PAUSED", None, count=2),
                e.ScheduleChanged(state.revision + 1, _PLAN, _tick(tick.at)),
                e.ScheduleReckoned("2026b", _tick(tick.at), tick),
                e.ScheduleRunByHand(tick.at, "run_2"),
                e.ScheduleDeactivated(),
                e.ScheduleDeleted(),
            ]
        case _:
            return [e.BulkAdvanced("1", 1, 0), e.BulkCompleted(), e.BulkAborted()]


def history(chance: Random, length: int) -> list[Recorded]:
    """A ledger of so many events."""
    historian = Historian(chance)
    for _ in range(length):
        historian.go_on()
    return historian.records


def history_of_tokens(chance: Random, length: int) -> list[Recorded]:
    """A ledger of so many events that happened to tokens."""
    historian = Historian(chance)
    for _ in range(length):
        historian.go_on_with_tokens()
    return historian.records


def run_id(now: int, number: int) -> str:
    """An id that sorts by time."""
    return stream_id("run", now, number)


def stream_id(kind: str, now: int, number: int) -> str:
    """An id of such an aggregate that sorts by time."""
    return f"{kind}_{now:012x}7{number:019x}"


def of_run(*events: RunEvent, stream: str = "run_1", environment: str = "env_a", step_ms: int = 10) -> list[Recorded]:
    """One run's history: the first event at 1,000, each further one a step later, all recorded one millisecond late."""
    return [
        Recorded(number, stream, number, environment, at, at + 1, "test", "test", event)
        for number, event in enumerate(events, start=1)
        for at in [1_000 + (number - 1) * step_ms]
    ]


def split(records: Sequence[Recorded], chance: Random) -> list[list[Recorded]]:
    """The same events in batches."""
    batches: list[list[Recorded]] = [[]]
    for recorded in records:
        if chance.random() < 0.2:
            batches.append([])
        batches[-1].append(recorded)
    return [batch for batch in batches if batch]


def _possible(run: Run) -> list[type[RunEvent]]:
    """What the table lets happen to a run and its attempt; ends come less often, so that there is more to tell."""
    kinds: list[type[RunEvent]] = []
    for kind, (sources, target) in TRANSITIONS.items():
        if run.status not in sources or (run.token is None and kind in _NEEDS_ATTEMPT):
            continue
        if kind is (e.AttemptStarted if run.is_suspended else e.AttemptResumed):
            continue
        if (kind is e.WaitCompleted and not run.waits) or (kind is e.RunBlocked and not run.journal):
            continue
        if run.status in {Status.EXECUTING, Status.WAITING}:
            if run.token is not None and kind in _FOLLOWS_ATTEMPT:
                continue
            if run.token is None and kind not in {*_FOLLOWS_ATTEMPT, e.RunCrashed, e.RunCanceled, e.TagsAdded}:
                continue
        kinds += [kind] * (1 if target in FINAL or run.status in FINAL else 4)
    return kinds


def _tick(behind: int) -> Tick:
    at = behind + 60_000
    return Tick(at, local_text(at))


_PLAN = e.Plan(e.Target("greet", Raw(b"1"), tags=("red",)), Timetable(Every(1)), external_id="user_1")
_OF_A_QUEUE: tuple[Event, ...] = (
    e.QueuePaused("urgent"),
    e.QueueResumed("urgent"),
    e.QueueLimitOverridden("urgent", 7),
    e.QueueLimitReset("urgent"),
    e.QueueStartsCounted("urgent", 2, 1_000),
)
_LOST = RunError("gone", code=e.WORKER_LOST)
_DIED = RunError("died", code=e.PROCESS_DIED)
_ERRORS = (RunError("boom", "ValueError", "line 1"), _LOST, _DIED)
_EVENTS: dict[type[RunEvent], Callable[[Run, Random], RunEvent]] = {
    e.RunHeldForVersion: lambda _run, _chance: e.RunHeldForVersion(),
    e.RunHeldForAuth: lambda _run, _chance: e.RunHeldForAuth(),
    e.VersionArrived: lambda _run, chance: e.VersionArrived("v1", chance.choice((None, "urgent")), 700),
    e.AuthResolved: lambda _run, _chance: e.AuthResolved("sealed"),
    e.RunHeldForConnections: lambda _run, _chance: e.RunHeldForConnections(("mail",)),
    e.RunDelayed: lambda run, _chance: e.RunDelayed(run.recorded_at + 500),
    e.RunRescheduled: lambda run, _chance: e.RunRescheduled(run.recorded_at + 900),
    e.RunDebounced: lambda run, chance: e.RunDebounced(run.recorded_at + 900, chance.random() < 0.5, tags=("b",)),
    e.RunEnqueued: lambda _run, chance: e.RunEnqueued(chance.choice(("delay", "released", "lost", "crashed"))),
    e.RunDequeued: lambda run, chance: e.RunDequeued(run.version + 1, "worker_1", chance.choice(VERSIONS)),
    e.AttemptStarted: lambda run, _chance: e.AttemptStarted(
        run.attempts + 1, run.token or 0, run.worker or "", run.worker_version or ""
    ),
    e.AttemptSucceeded: lambda run, _chance: e.AttemptSucceeded(run.attempts, run.token or 0, Raw(b"2")),
    e.AttemptFailed: lambda run, chance: e.AttemptFailed(run.attempts, run.token or 0, chance.choice(_ERRORS)),
    e.RetryScheduled: lambda run, _chance: e.RetryScheduled(run.recorded_at + 100),
    e.RunFailed: lambda _run, chance: e.RunFailed(chance.choice(_ERRORS)),
    e.RunCanceled: lambda _run, _chance: e.RunCanceled("enough"),
    e.RunExpired: lambda _run, _chance: e.RunExpired(500),
    e.RunTimedOut: lambda _run, _chance: e.RunTimedOut(900),
    e.RunCrashed: lambda _run, _chance: e.RunCrashed(_DIED),
    e.RunInterrupted: lambda _run, _chance: e.RunInterrupted(_LOST),
    e.RunSystemFailed: lambda _run, _chance: e.RunSystemFailed(RunError("never started")),
    e.PayloadRejected: lambda _run, _chance: e.PayloadRejected(RunError("not a number")),
    e.AuthUnresolved: lambda _run, _chance: e.AuthUnresolved(RunError("nobody")),
    e.StepSucceeded: lambda run, _chance: e.StepSucceeded(Entry(run.journal, "one"), Raw(b"3")),
    e.StepFailed: lambda run, _chance: e.StepFailed(Entry(run.journal, "one"), RunError("no")),
    e.StepTryFailed: lambda run, _chance: e.StepTryFailed(
        Entry(run.journal, "one"), RunError("busy"), run.recorded_at + 50
    ),
    e.ChildrenTriggered: lambda run, _chance: e.ChildrenTriggered(Entry(run.journal, "mail"), ("run_2",)),
    e.WaitStarted: lambda run, chance: e.WaitStarted(
        Entry(run.journal, "wait"), chance.choice(((), ("run_2",))), until=chance.choice((None, run.recorded_at + 50))
    ),
    e.WaitCompleted: lambda run, _chance: e.WaitCompleted(run.waits[0].index, run.waits[0].targets),
    e.RunBlocked: lambda _run, _chance: e.RunBlocked(),
    e.RunResumed: lambda _run, _chance: e.RunResumed(),
    e.RunFrozen: lambda _run, _chance: e.RunFrozen(),
    e.AttemptResumed: lambda run, _chance: e.AttemptResumed(
        run.attempts, run.token or 0, run.worker or "", run.worker_version or "", run.began_at
    ),
    e.RunLogged: lambda run, chance: e.RunLogged(
        (e.LogLine(run.recorded_at, "info", "Begun.", chance.choice((e.NOTHING, Raw(b'{"n":1}')))),),
        chance.random() < 0.1,
    ),
    e.TagsAdded: lambda _run, chance: e.TagsAdded((chance.choice(TAGS),)),
    e.MetadataUpdated: lambda _run, chance: e.MetadataUpdated(chance.choice((Raw(b"null"), Raw(b"[1,  2]")))),
    e.RunReplayed: lambda _run, _chance: e.RunReplayed("run_9"),
    e.RunErased: lambda _run, chance: e.RunErased("erasure_1", chance.random() < 0.5),
    e.RunArchived: lambda run, _chance: e.RunArchived("erasure_1", "s", run.attempts, run.job is not None),
    e.LateResultRefused: lambda run, _chance: e.LateResultRefused(
        run.closed[-1][0] if run.closed else 1, "succeeded", "worker_1"
    ),
}
