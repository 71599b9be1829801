"""How an engine starts: claim the head of the ledger, then checkpoint and tail."""

from collections.abc import Callable, Iterable, Sequence

from adapters.calendar import CronCalendar
from domain import states
from domain.calendar import Calendar
from domain.engine import Engine
from domain.errors import Deposed, LedgerCorrupt
from domain.events import KeyClaimed, Recorded, WriterStarted
from domain.ports import START, Clock, Head, Ledger
from domain.request_keys import RequestKeys, request_in
from domain.states import WRITER, State, Writer

_CHUNK = 10_000
LOOK_BACK = 20_000
"""In so many events a start looks for the keys of requests: where more came in two hours, some are looked up later."""


def claim(ledger: Ledger, head: Head, wall: int, cause: str = "claim") -> tuple[Recorded, Head]:
    """Append WriterStarted right behind `head`: what former writers had in flight there can never land any more.

    Raises Deposed when something stands there already, LedgerUnavailable when the ledger does not answer.
    """
    history = ledger.read_streams({WRITER}).get(WRITER, [])
    writer = states.fold(history)
    epoch = writer.epoch + 1 if isinstance(writer, Writer) else 1
    last = ledger.read_after(head.position - 1, limit=1) if head != START else []
    started = Recorded(
        position=head.position + 1,
        stream=WRITER,
        version=len(history) + 1,
        environment="",
        occurred_at=wall,
        # The wall clock may be behind that of the writer before.
        recorded_at=max(wall, last[0].recorded_at if last else 0),
        actor="engine",
        cause=cause,
        event=WriterStarted(epoch),
    )
    return started, ledger.append([started], {}, after=head)


def settle(
    ledger: Ledger, batch: Sequence[Recorded], before: Head, wall: int, cause: str
) -> tuple[Recorded | None, Head]:
    """What became of a batch behind `before` of which nothing was heard: claim the head, which decides it.

    Returns our claim and the head that it left, when the batch can never land any more, or None and the head that
    the batch left after all. `cause` is how this writer knows its own claims again. Raises Deposed, LedgerUnavailable.
    """
    try:
        return claim(ledger, before, wall, cause)
    except Deposed:
        last = before.position + len(batch)
        found = ledger.read_after(before.position, limit=max(2, len(batch) + 1))
        digest = ledger.digest_at(last)
        if batch and found == list(batch) and digest is not None:
            return None, Head(last, digest)
        # The answer to an earlier claim of ours may have been lost as well.
        if [each.cause for each in found] != [cause]:
            raise
        digest = ledger.digest_at(found[0].position)
        assert digest is not None, "what was read is there"
        return found[0], Head(found[0].position, digest)


def start_engine(
    ledger: Ledger,
    checkpoint: tuple[Iterable[State], Head],
    clock: Clock,
    *,
    lease_ms: int,
    chance: Callable[[], float],
    calendar: Calendar | None = None,
    look_back: int = LOOK_BACK,
) -> tuple[Engine, Head]:
    """An engine with the states of a checkpoint (at a position of this ledger) and all that came behind it."""
    now = clock.now()
    _, head = claim(ledger, ledger.head(), now.wall)
    kept, at = checkpoint
    if ledger.digest_at(at.position) != at.digest:
        raise LedgerCorrupt(f"The checkpoint at {at.position} is not of this ledger: rebuild the projections.")
    live = {state.id: state for state in kept}
    # A run whose checkpointed state is gone had ended; what the tail says of it then is read from its own events.
    ended: set[str] = set()
    position, recorded_at = at.position, 0
    while position < head.position:
        for recorded in ledger.read_after(position, limit=_CHUNK, upto=head.position):
            position, recorded_at = recorded.position, recorded.recorded_at
            stream = recorded.stream
            if stream in ended or (stream not in live and recorded.version > 1):
                ended.add(stream)
                continue
            state = states.evolve(live.get(stream), recorded)
            if states.is_kept(state):
                live[stream] = state
            else:
                live.pop(stream, None)
                ended.add(stream)
    engine = Engine(
        live.values(),
        head=head.position,
        now=clock.now(),
        recorded_at=recorded_at,
        lease_ms=lease_ms,
        chance=chance,
        calendar=calendar or CronCalendar(),
    )
    try:
        last = ledger.read_after(max(0, head.position - look_back), limit=look_back, upto=head.position)
    except LedgerCorrupt:
        # Whoever verifies the ledger says so; here all that it costs is that requests are looked up.
        return engine, head
    remember(engine.memory.requests, last)
    return engine, head


def remember(requests: RequestKeys, last: Sequence[Recorded]) -> None:
    """Let the engine know the keys that were claimed in the last events."""
    for recorded in last:
        if isinstance(recorded.event, KeyClaimed) and recorded.stream.count("_") > 1:
            requests.note(request_in(recorded.stream), recorded.recorded_at)
    # Of the same millisecond there may be more before.
    requests.since = last[0].recorded_at + 1 if last[0].position > 1 else 0
