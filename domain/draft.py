"""A batch in the making: events decided and not committed yet, how to undo them, and the answers that wait for them."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from domain import states
from domain.commands import Command
from domain.errors import RunfoldError
from domain.events import Event, KeyClaimed, Recorded
from domain.keys import Key
from domain.memory import Memory
from domain.request_keys import HOUR_MS, stream_in
from domain.states import State

Ticket: TypeAlias = int
"""Names a submitted command until it is answered."""
Answer: TypeAlias = Any
"""What a command's docstring says it is answered, or the error that refused it."""


class Origin:
    """Who and what an event goes back to, and when that was."""

    __slots__ = ("actor", "at", "cause", "environment")

    def __init__(self, environment: str, actor: str, cause: str, at: int) -> None:
        self.environment = environment
        self.actor = actor
        self.cause = cause
        self.at = at

    @classmethod
    def of(cls, command: Command) -> "Origin":
        """The command's."""
        return cls(command.environment, command.actor, command.cause, command.at)


class Draft:
    """What becomes of one batch. `loaded` holds states that were read for it and are not kept."""

    def __init__(self, memory: Memory, head: int, recorded_at: int, loaded: dict[str, State | None]) -> None:
        self.records: list[Recorded] = []
        self.blobs: dict[str, bytes] = {}
        self.answers: list[tuple[Ticket, Answer]] = []
        self.size = 0
        self.recorded_at = recorded_at
        self._memory = memory
        self._head = head
        self._loaded = loaded
        self._before: dict[str, State | None] = {}
        self._past: set[str] = set()
        """The streams of `_before` that were over before the batch, as all are that had to be loaded."""

    def state(self, stream: str) -> State | None:
        """The state of an aggregate as this batch leaves it so far."""
        state = self._memory.states.get(stream)
        return state if state is not None else self._loaded.get(stream)

    def record(self, stream: str, events: Sequence[Event], origin: Origin, began: int | None = None) -> State | None:
        """Let these events happen to the aggregate; returns its state after them.

        `began` is when the first of them happened, if that was before the others did.
        """
        known = self._memory.states.get(stream)
        before = after = known if known is not None else self._loaded.get(stream)
        if not events:
            return before
        if known is None and before is not None:
            self._past.add(stream)
        position = self._head + len(self.records)
        at = origin.at if began is None else began
        for event in events:
            position += 1
            # By place: this line runs for every event, and names double its time.
            recorded = Recorded(
                position,
                stream,
                after.version + 1 if after is not None else 1,
                origin.environment,
                at,
                self.recorded_at,
                origin.actor,
                origin.cause,
                event,
            )
            after = states.evolve(after, recorded)
            self.records.append(recorded)
            at = origin.at
        assert after is not None, "an aggregate with events has a state"
        if stream in self._past:
            assert not states.is_kept(after), "what is over stays over"
            self._memory.lay_out(stream, after)
            self._before[stream] = None
        else:
            self._before.setdefault(stream, self._memory.replace(stream, after))
        return after

    def made_by(self, request: str | None) -> str | None:
        """What the same request, by its own key, made when it was sent before; None if it was not, in the last hour."""
        for stream in self._memory.requests.possible(request, self.recorded_at) if request else ():
            key = self.state(stream)
            if isinstance(key, Key) and (target := key.stands_for(self.recorded_at)):
                return target
        return None

    def claim(self, request: str | None, target: str, origin: Origin) -> None:
        """Let a request that has a key of its own be known again by it, for an hour."""
        if request is None:
            return
        self._memory.requests.note(request, self.recorded_at)
        stream = stream_in(self.recorded_at // HOUR_MS, request)
        self.record(stream, [KeyClaimed(target, self.recorded_at + HOUR_MS)], origin)

    def add_blob(self, key: str, value: bytes) -> None:
        """Keep a large value beside the event that refers to it."""
        self.blobs[key] = value
        self.size += len(value)

    def touches(self, stream: str) -> bool:
        """Whether the batch changes this aggregate."""
        return stream in self._before

    def concerns(self, environment: str) -> bool:
        """Whether the batch changes anything of this environment."""
        return any(record.environment == environment for record in self.records)

    def landed(self) -> None:
        """The batch is committed: let go of what is finished."""
        for stream in self._before:
            if stream in self._past:
                self._memory.lay_out(stream, None)
                continue
            state = self._memory.states.get(stream)
            if state is not None and not states.is_kept(state):
                self._memory.replace(stream, None)

    def undo(self, error: RunfoldError) -> None:
        """The batch can never land: bring the states before it back, and refuse everyone who waits for it."""
        for stream, before in reversed(self._before.items()):
            if stream in self._past:
                self._memory.lay_out(stream, None)
            else:
                self._memory.replace(stream, before)
        self.answers = [(ticket, error) for ticket in self.tickets()]

    def tickets(self) -> Iterable[Ticket]:
        """Whoever is to be answered once the batch is decided."""
        return [ticket for ticket, _ in self.answers]
