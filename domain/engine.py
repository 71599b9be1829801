"""The engine core: commands in, events and answers out. No I/O: the server and the simulation drive the same object.

    ticket = engine.submit(command)
    while missing := engine.missing(): engine.provide(read(missing))
    batch = engine.take_batch(now)      # decided on committed states only
    append(batch.records, batch.blobs)  # one transaction
    engine.landed()  or  engine.failed(error)

Nothing is answered before the events that it rests on are committed; a batch that can never land is undone.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from domain import batch as batches
from domain import batching, lifecycle, rest
from domain import waitpoint as waitpoints
from domain.aftermath import Aftermath
from domain.asking import asked_by, leads_to
from domain.batch import Batch
from domain.calendar import Calendar
from domain.canceling import Cancels
from domain.channel import Channel
from domain.commands import Command, DeliverEvent, JudgePayloads, SendEvent, TriggerRuns, Turn, TurnAnswer
from domain.draft import Answer, Draft, Origin, Ticket
from domain.errors import Busy, Refused, RunfoldError
from domain.events import Event, Recorded
from domain.handlers import Handlers
from domain.lifecycle import WAIT, Deadline
from domain.memory import Memory
from domain.named_event import NamedEvent
from domain.releasing import Releases
from domain.run import Run
from domain.schedule import Schedule
from domain.scheduling import Schedules
from domain.sessions import Session
from domain.states import State, evolve
from domain.turns import Turns
from domain.waitpoint import Waitpoint

INBOX_MAX = 20_000
INBOX_MAX_BYTES = 128_000_000
BATCH_MAX_EVENTS = 4_000
BATCH_MAX_BYTES = 4_000_000
HAND_OUTS_MAX = 1_000
"""How many runs a batch hands out, over and above its other events: a flood of new runs must not starve the workers."""
LOAD_MAX = 2_000
TICKS_MAX = 1_000
"""How many ticks of schedules a batch looks at: as many as have room in it when each becomes a run.

Those of one moment share a commit, or the last of them would wait while followers work on the first.
"""
MAKES_RUNS = (TriggerRuns, SendEvent, DeliverEvent)
"""Commands that can wait for others."""


def deaf_after(lease_ms: int) -> int:
    """The gap between two batches (milliseconds) after which it was the engine that was deaf, and leases start anew."""
    return min(5_000, lease_ms // 2)


class Now(NamedTuple):
    """The wall clock, for dates, and the monotonic clock, for leases and max durations; both in milliseconds."""

    wall: int
    mono: int


class Engine:
    """The single writer's decisions. `kept` are the states at `head`, the last event, which was `recorded_at`."""

    def __init__(
        self,
        kept: Iterable[State],
        *,
        head: int,
        now: Now,
        lease_ms: int,
        chance: Callable[[], float],
        calendar: Calendar,
        recorded_at: int = 0,
    ) -> None:
        self.memory = Memory()
        for state in kept:
            self.memory.replace(state.id, state)
        self.head: int = head
        self.deaf_ms = deaf_after(lease_ms)
        """Whoever drives the engine asks for batches more often than that."""
        self._turns = Turns(self.memory, lease_ms, chance)
        self._releases = Releases(self.memory)
        cancels = Cancels(self.memory, self._turns)
        self._schedules = Schedules(self.memory, calendar, cancels)
        self._aftermath = Aftermath(self.memory)
        self._handlers = Handlers(self.memory, self._turns, self._releases, cancels, self._schedules)
        self._turns.listen_anew(now.mono)
        self._urgent: deque[tuple[Ticket, Command, int]] = deque()
        self._bulk: deque[tuple[Ticket, Command, int]] = deque()
        self._inbox_bytes = 0
        self._tickets = 0
        self._loaded: dict[str, State | None] = {}
        self._draft: Draft | None = None
        self._recorded_at = recorded_at
        # What was claimed before is not in the states.
        self.memory.requests.since = recorded_at + 1
        self._heard = now.mono

    def submit(self, command: Command) -> Ticket:
        """Put a command into the inbox. Raises Busy when it is full."""
        size = _size_of(command)
        if len(self._urgent) + len(self._bulk) >= INBOX_MAX or self._inbox_bytes + size > INBOX_MAX_BYTES:
            raise Busy("The engine has more to do than it can take: ask again in a moment.")
        self._tickets += 1
        self._inbox_bytes += size
        # Reports, claims and cancels go before bulk triggers, or a flood of new runs would keep old ones from ending.
        if isinstance(command, MAKES_RUNS):
            self._bulk.append((self._tickets, command, size))
        else:
            self._urgent.append((self._tickets, command, size))
        return self._tickets

    def missing(self) -> set[str]:
        """The streams that waiting commands ask about and that are not in memory."""
        missing: set[str] = set()
        for inbox in (self._urgent, self._bulk):
            for _, command, _ in inbox:
                missing.update(self._unknown(command))
                if len(missing) >= LOAD_MAX:
                    return missing
        return missing

    def provide(self, states: dict[str, State | None]) -> None:
        """The states of streams that were missing, None for those that do not exist."""
        self._loaded.update(states)

    def take_batch(self, now: Now) -> Draft | None:
        """Decide what has arrived and what is due; None if there is nothing to commit and nobody to answer."""
        assert self._draft is None, "commands are decided when the previous commit has landed"
        if now.mono - self._heard > self.deaf_ms:
            self._turns.forgive(now.mono)
        self._heard = now.mono
        # The wall clock may be set back; what is recorded later is never recorded as earlier.
        self._recorded_at = max(self._recorded_at, now.wall)
        draft = Draft(self.memory, self.head, self._recorded_at, self._loaded)
        # A turn that has come renews its worker's lease, however late the engine looks at it.
        self._decide(self._urgent, draft, now)
        self._turns.expire(draft, now.mono)
        self._fire(draft, now)
        self._releases.release(draft, BATCH_MAX_EVENTS - len(draft.records))
        self._decide(self._bulk, draft, now)
        self._settle(draft)
        self._turns.hand_out(draft, HAND_OUTS_MAX, now.mono)
        # Once more, so that what waits for a run goes on in the commit in which it ends, whatever ended it.
        self._settle(draft)
        self._turns.answer(draft)
        self._loaded = {}
        if not draft.records and not draft.answers:
            return None
        self._draft = draft
        return draft

    def landed(self) -> list[tuple[Ticket, Answer]]:
        """The batch is committed; returns the answers, which may be given now, those to workers first.

        A run that was just made begins when its worker hears of it, whenever its maker does.
        """
        draft = self._take_draft()
        draft.landed()
        self.head += len(draft.records)
        return sorted(draft.answers, key=_is_for_maker)

    def failed(self, error: RunfoldError, now: Now) -> list[tuple[Ticket, Answer]]:
        """The batch can never land: everything is as before it, and whoever waits is told the error."""
        draft = self._take_draft()
        draft.undo(error)
        self._heard = now.mono
        return draft.answers + [(ticket, error) for ticket in self._turns.listen_anew(now.mono)]

    def note(self, claimed: Recorded) -> None:
        """The writer claimed the head anew: that event stands behind all that was committed before."""
        assert self._draft is None, "a batch in flight is settled before the head is claimed"
        assert claimed.position == self.head + 1, "the head is claimed right behind the last event"
        self.memory.replace(claimed.stream, evolve(self.memory.states.get(claimed.stream), claimed))
        self.head = claimed.position
        self._recorded_at = max(self._recorded_at, claimed.recorded_at)

    def unjudged(self) -> dict[str, str]:
        """The held runs whose payload has to be checked, and by the schema of which version: see JudgePayloads."""
        return self._releases.unjudged

    def in_flight(self, stream: str) -> bool:
        """Whether the batch that is being committed changes this aggregate."""
        return self._draft is not None and self._draft.touches(stream)

    def is_committing(self, environment: str | None = None) -> bool:
        """Whether the batch that is being committed changes anything of an environment, None: of any."""
        return self._draft is not None and (environment is None or self._draft.concerns(environment))

    def at_work(self, now: Now) -> set[str] | None:
        """What goes on and is not committed, handed out, ended or judged yet; None while a batch is in flight."""
        if self._draft is not None or not self.is_idle or self.memory.waiters.is_touched:
            return None
        at_work = rest.at_work(self.memory, self._turns, now.mono)
        return {*at_work, *self.unjudged(), *self.memory.bulks, *self.memory.deliveries}

    @property
    def sessions(self) -> Collection[Session]:
        """The workers that are connected."""
        return self._turns.sessions

    @property
    def is_idle(self) -> bool:
        """Whether no command waits."""
        return not self._urgent and not self._bulk

    @property
    def waiting(self) -> int:
        """How many commands wait for the next batch."""
        return len(self._urgent) + len(self._bulk)

    def wait_ms(self, now: Now) -> int | None:
        """How long nothing is due, None if nothing is. Never negative."""
        wall, mono = self.memory.next_due(), self._turns.next_due()
        waits = [wall - now.wall] if wall is not None else []
        waits += [mono - now.mono] if mono is not None else []
        return max(0, min(waits)) if waits else None

    def _take_draft(self) -> Draft:
        draft = self._draft
        assert draft is not None, "a batch lands or fails after it was taken"
        self._draft = None
        return draft

    def _settle(self, draft: Draft) -> None:
        """End the batches, then the waits, that are over by now; fire the ticks that waited for the end of a run."""
        # First, as a job that pauses itself fires nothing that waited.
        self._aftermath.settle(draft)
        self._schedules.settle(draft)
        batching.end_batches(draft, self.memory)
        self._turns.waits.settle(draft)

    def _fire(self, draft: Draft, now: Now) -> None:
        ticks = 0
        for state, deadline in self.memory.due(now.wall):
            if isinstance(state, Run) and deadline.kind == WAIT:
                self._turns.waits.fire(state, deadline, draft)
            elif isinstance(state, Schedule):
                ticks += self._schedules.fire(state, deadline, draft)
            elif isinstance(state, NamedEvent):
                self.memory.deliveries[state.id] = None
            elif isinstance(state, Channel):
                self._aftermath.fire(state, deadline, draft)
            else:
                origin = Origin(state.environment, "timer", deadline.kind, deadline.at)
                draft.record(state.id, _fired(state, deadline), origin)
            if len(draft.records) >= BATCH_MAX_EVENTS or ticks >= TICKS_MAX:
                return

    def _decide(self, inbox: deque[tuple[Ticket, Command, int]], draft: Draft, now: Now) -> None:
        while inbox and len(draft.records) < BATCH_MAX_EVENTS and draft.size < BATCH_MAX_BYTES:
            ticket, command, size = inbox[0]
            if any(True for _ in self._unknown(command)):
                return
            inbox.popleft()
            self._inbox_bytes -= size
            draft.size += size
            try:
                self._handlers.handle(ticket, command, draft, now.mono)
            except Refused as refusal:
                draft.answers.append((ticket, refusal))

    def _unknown(self, command: Command) -> Iterator[str]:
        known, loaded = self.memory.states, self._loaded
        if isinstance(command, JudgePayloads):
            # Only a run that is held, and so known, is judged.
            return
        if isinstance(command, Turn):
            # Asked for every report, which leads nowhere else.
            for said in command.reports:
                if said.run not in known and said.run not in loaded:
                    yield said.run
                if said.journaled is not None:
                    yield from (each for each in said.journaled.targets if each not in known and each not in loaded)
            return
        for stream in self._asked_by(command):
            if stream not in known and stream not in loaded:
                yield stream
                continue
            for further in leads_to(command, known.get(stream) or loaded.get(stream)):
                if further not in known and further not in loaded:
                    yield further

    def _asked_by(self, command: Command) -> Iterator[str]:
        if request := getattr(command, "request", None):
            yield from self.memory.requests.possible(request, self._recorded_at)
        yield from asked_by(command)


def _is_for_maker(answer: tuple[Ticket, Answer]) -> bool:
    return not isinstance(answer[1], TurnAnswer)


def _fired(state: Run | Batch | Waitpoint, deadline: Deadline) -> Sequence[Event]:
    match state:
        case Batch():
            return batches.fire(state, deadline)
        case Waitpoint():
            return waitpoints.fire(state, deadline)
        case _:
            return lifecycle.fire(state, deadline)


def _size_of(command: Command) -> int:
    """Roughly the bytes that the command brings, over a small constant."""
    blobs: dict[str, bytes] = getattr(command, "blobs", {})
    size = 200 + sum(map(len, blobs.values()))
    if isinstance(command, SendEvent | DeliverEvent):
        return size + len(command.payload)
    if isinstance(command, TriggerRuns):
        return size + sum(min(new.payload_size, 32_768) + 200 for new in command.runs)
    if isinstance(command, Turn):
        return size + sum(len(said.output) + 200 for said in command.reports)
    return size
