"""The fate of each tick that a schedule planned, as its events tell it, held against the calendar."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from domain import events as e
from domain.calendar import Calendar, Tick
from domain.errors import InvalidInput
from domain.events import Event, Plan, Recorded
from domain.schedule import edition_for
from domain.ticks import PAUSED
from domain.timing import local_text, tick_after

GRACE_MS = 60_000
"""So long a tick may be due before it is said to be forgotten: the engine may have much to do."""
BUFFERED, BACKFILLED, CHANGED, DELETED = "BUFFERED", "BACKFILLED", "CHANGED", "DELETED"
BY_HAND = "MANUAL"
WITH_RUN = frozenset({"FIRED", "LATE", "CAUGHT_UP", BUFFERED, BACKFILLED})


class Accounted(Struct, gc=False):
    """A tick of a revision, what became of it (None: nothing yet), and its run if it has one."""

    tick: Tick
    revision: int
    fate: str | None
    run: str | None = None
    tzdata: str = ""
    """The edition of the time zone database with which it was reckoned; empty where no zone matters."""


class TickLedger:
    """Reads the events of one schedule. Between `since` and `until` it tells ticks one by one, `most` of them at most.

    `problems` has a sentence for each place where the events and the calendar do not fit together, `notes` one for
    each where that may be because zones were others then: the calendar knows only one edition of them.
    """

    def __init__(self, calendar: Calendar, since: int, until: int, most: int) -> None:
        self.ticks: dict[int, Accounted] = {}
        self.by_hand: list[Accounted] = []
        """What somebody let run beside the ticks; its moments are told in UTC."""
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._calendar = calendar
        self._since = since
        self._until = until
        self._most = most
        self._stream = ""
        self._plan: Plan | None = None
        self._revision = 1
        self._tzdata = ""
        self._next: Tick | None = None
        self._is_active = True

    def read(self, history: Sequence[Recorded], now: int) -> None:
        """Read the whole history, and say what is planned and has come to nothing yet by `now`."""
        for recorded in history:
            self._stream = recorded.stream
            self._take(recorded.event, recorded)
        self._close(now)

    def _take(self, event: Event, recorded: Recorded) -> None:
        match event:
            case e.ScheduleCreated(plan=plan, next=following, tzdata=tzdata):
                self._tzdata = tzdata
                self._begin(plan, 1, following, recorded)
            case e.ScheduleChanged(revision=revision, plan=plan, next=following, tzdata=tzdata):
                self._leave(CHANGED, recorded.recorded_at)
                self._tzdata = tzdata
                self._begin(plan, revision, following, recorded)
            case e.ScheduleReckoned():
                self._reckon(event, recorded.recorded_at)
            case e.ScheduleDeleted():
                self._leave(DELETED, recorded.recorded_at)
                self._next = None
            case e.ScheduleActivated() | e.ScheduleDeactivated():
                self._is_active = isinstance(event, e.ScheduleActivated)
            case _:
                self._take_ticks(event, recorded)

    def _take_ticks(self, event: Event, recorded: Recorded) -> None:
        match event:
            case e.TicksFired(first=first, last=last, runs=runs, next=following):
                self._follow(first, last or first, following, [(event.fate, run) for run in runs])
            case e.TicksSkipped(first=first, last=last, count=count, next=following):
                self._follow(first, last or first, following, [(event.reason, None)] * count)
            case e.TickBuffered(tick=tick, next=following):
                self._follow(tick, tick, following, [(None, None)])
            case e.BufferedTickFired(tick=tick, run=run):
                self._settle(tick, BUFFERED, run)
            case e.BufferedTickDropped(tick=tick, reason=reason):
                self._settle(tick, reason, None)
            case e.ScheduleRunByHand(at=at, run=run):
                self._account_by_hand(at, run)
            case e.TicksBackfilled(runs=runs):
                for at, run in runs.items():
                    self._backfill(at, run)
            case _:
                self.problems.append(f"Event {recorded.position} is none of a schedule: {type(event).__name__}.")

    def _begin(self, plan: Plan, revision: int, following: Tick | None, recorded: Recorded) -> None:
        self._plan, self._revision, self._next = plan, revision, following
        if self._is_told(recorded.recorded_at):
            self._compare(following, recorded.recorded_at)

    def _reckon(self, event: e.ScheduleReckoned, at: int) -> None:
        before, self._tzdata = self._tzdata or "none that was noted", event.tzdata
        if event.moved is not None and self._is_told(at):
            told = f"The tick {_told(event.moved)} moved to {_told(event.next)}"
            self.notes.append(f"{told} by tzdata {event.tzdata} (before: {before}).")
        self._next = event.next

    def _follow(
        self, first: Tick, last: Tick, following: Tick | None, fates: list[tuple[str | None, str | None]]
    ) -> None:
        if self._next != first:
            self.problems.append(f"The tick {_told(self._next)} was planned, and {_told(first)} was accounted for.")
        self._next = following
        if last.at < self._since or first.at > self._until:
            return
        ticks = list(self._between(first, last))
        if len(ticks) != len(fates) or ticks[-1] != last:
            self._differ(
                f"From {_told(first)} to {_told(last)} there are {len(ticks)} ticks; {len(fates)} were accounted for."
            )
        for tick, (fate, run) in zip(ticks, fates, strict=False):
            self._account(tick, fate, run)
        self._compare(following, last.at)

    def _account(self, tick: Tick, fate: str | None, run: str | None) -> None:
        if not self._is_told(tick.at):
            return
        self._bound()
        if tick.at in self.ticks:
            self.problems.append(f"The tick {_told(tick)} was accounted for twice.")
        self.ticks[tick.at] = Accounted(tick, self._revision, fate, run, self._tzdata)

    def _account_by_hand(self, at: int, run: str) -> None:
        if self._is_told(at):
            self._bound()
            self.by_hand.append(Accounted(Tick(at, local_text(at)), self._revision, BY_HAND, run))

    def _bound(self) -> None:
        if len(self.ticks) + len(self.by_hand) >= self._most:
            raise InvalidInput(f"There are more than {self._most} ticks between these moments: ask for fewer.")

    def _settle(self, tick: Tick, fate: str, run: str | None) -> None:
        if not self._is_told(tick.at):
            return
        known = self.ticks.get(tick.at)
        if known is None or known.fate is not None:
            self.problems.append(f"The tick {_told(tick)} did not wait, and was taken for one that did.")
            return
        known.fate, known.run = fate, run

    def _backfill(self, at: int, run: str) -> None:
        known = self.ticks.get(at)
        if known is not None:
            if known.run is not None:
                self.problems.append(f"The tick {_told(known.tick)} had a run, and was given another one.")
            known.fate, known.run = BACKFILLED, run

    def _leave(self, fate: str, at: int) -> None:
        """What was planned up to this moment, and is planned no more."""
        for tick in self._outstanding(at):
            self._account(tick, fate, None)

    def _close(self, now: int) -> None:
        for tick in self._outstanding(min(now, self._until)):
            is_overdue = tick.due < now - GRACE_MS
            self._account(tick, None if self._is_active else PAUSED, None)
            if self._is_active and is_overdue:
                self.problems.append(f"The tick {_told(tick)} was due, and nothing became of it.")
                # One is enough: those behind it wait for it.
                return

    def _outstanding(self, until: int) -> Iterator[Tick]:
        tick = self._next
        if tick is not None and tick.at < self._since:
            tick = self._after(max(tick.at, self._since - 1))
        while tick is not None and tick.at <= min(until, self._until):
            yield tick
            tick = self._after(tick.at)

    def _between(self, first: Tick, last: Tick) -> Iterator[Tick]:
        tick: Tick | None = first
        while tick is not None and tick.at <= last.at:
            yield tick
            tick = self._after(tick.at)

    def _compare(self, following: Tick | None, moment: int) -> None:
        expected = self._after(moment)
        if expected != following:
            self._differ(f"The calendar plans {_told(expected)}, and the ledger {_told(following)}.")

    def _differ(self, sentence: str) -> None:
        """Say where events and calendar differ: a problem, unless they had different editions of the zones."""
        assert self._plan is not None, "a history begins with a plan"
        edition = edition_for(self._plan, self._calendar)
        if edition == self._tzdata:
            self.problems.append(sentence)
        else:
            self.notes.append(f"{sentence} It was reckoned with tzdata {self._tzdata or '?'}; this is {edition}.")

    def _after(self, moment: int) -> Tick | None:
        assert self._plan is not None, "a history begins with a plan"
        return tick_after(self._plan.timetable, moment, self._stream, self._calendar)

    def _is_told(self, at: int) -> bool:
        return self._since <= at <= self._until


def _told(tick: Tick | None) -> str:
    return "none" if tick is None else f"{local_text(tick.at)} UTC"
