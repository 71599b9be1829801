"""The workers that the engine hears from: their waiting turns, the answers they may ask for again, their leases."""

from domain.commands import Cancel, HandOut, RefusedReport, Turn, TurnAnswer, Woken
from domain.draft import Ticket

PAYLOADS_MAX_BYTES = 8_000_000
"""How much payload one answer carries at most, unless a single run has more."""


class Session:
    """One life of one worker. It is not in the ledger: what a worker holds is, in the runs."""

    def __init__(self, session: str, environment: str, version: str, heard: int) -> None:
        self.id = session
        self.environment = environment
        self.version = version
        self.heard = heard
        """When it was last heard of, on the monotonic clock."""
        self.name: str | None = None
        """What people know it by."""
        self.node: str | None = None
        """The address at which its last turn came in."""
        self.connected_at: int | None = None
        self.heard_at: int | None = None
        """Both by the wall clock (milliseconds), None until it is heard of after a start of the engine."""
        self.wanted = 0
        """How many runs it could take when it was last heard of."""
        self.want = 0
        self.takes_runs = False
        """Whether it wanted runs when it was last heard of: one that ends does not."""
        self.is_leaving = False
        """Whether the worker said that it ends, which it never takes back."""
        self.sequence = 0
        """The turn that waits for an answer, 0 if none does."""
        self.latest = 0
        """The highest turn that came."""
        self.machines: tuple[str, ...] | None = None
        """The machines for which it takes runs, None: all."""
        self.resolving: set[str] = set()
        """The runs whose auth resolver it was asked to run."""
        self.urgent = False
        """Whether that turn is to be answered with the present batch."""
        self.tickets: list[Ticket] = []
        self.refused: list[RefusedReport] = []
        self.runs: list[HandOut] = []
        self.cancels: dict[tuple[str, int], Cancel] = {}
        self.woken: dict[tuple[str, int, int], Woken] = {}
        self.answers: dict[int, TurnAnswer] = {}
        self.handed: dict[tuple[str, int], int] = {}
        """In which turn's answer a run was handed out, until the worker says that it received that answer."""

    def hear(self, turn: Turn, now: int) -> None:
        """The worker lives, and it has the answers up to `received`."""
        self.heard = now
        self.heard_at = turn.at
        if self.connected_at is None:
            self.connected_at = turn.at
        self.name = turn.name or self.name
        self.node = turn.node or self.node
        self.wanted = turn.want
        self.version = turn.version
        self.machines = turn.machines
        self.is_leaving |= turn.leaving
        self.takes_runs = turn.want > 0 and not self.is_leaving
        for sequence in [sequence for sequence in self.answers if sequence <= turn.received]:
            del self.answers[sequence]
        for run in [run for run, sequence in self.handed.items() if sequence <= turn.received]:
            del self.handed[run]

    def wait(self, turn: Turn, ticket: Ticket) -> None:
        """This turn is the one to answer next."""
        self.sequence = self.latest = turn.sequence
        self.tickets.append(ticket)
        self.want = turn.want

    def hand(self, run: HandOut) -> None:
        """Give a run with the next answer."""
        self.runs.append(run)
        if run.is_for_auth:
            self.resolving.add(run.run)
        self.handed[run.run, run.token] = self.sequence

    def stop(self, cancel: Cancel) -> None:
        """Tell the worker with the next answer that it must stop an attempt; why is what was the case first."""
        self.cancels.setdefault((cancel.run, cancel.token), cancel)

    def wake(self, woken: Woken) -> None:
        """Tell the worker with the next answer that a wait is over."""
        self.woken[woken.run, woken.token, woken.completed.wait] = woken

    @property
    def has_news(self) -> bool:
        """Whether a waiting turn should be answered."""
        return self.sequence > 0 and (self.urgent or bool(self.runs or self.cancels or self.refused or self.woken))

    def answer(self) -> tuple[TurnAnswer, list[Ticket]]:
        """End the waiting turn. The answer can be had again until the worker says that it has it."""
        woken = tuple(self.woken.values())
        answer = TurnAnswer(self.sequence, tuple(self.runs), tuple(self.cancels.values()), tuple(self.refused), woken)
        self.answers[self.sequence] = answer
        tickets = self.tickets
        self.reset()
        self.cancels = {}
        self.woken = {}
        return answer, tickets

    def reset(self) -> None:
        """No turn waits any more."""
        self.sequence = 0
        self.urgent = False
        self.want = 0
        self.tickets = []
        self.runs = []
        self.refused = []
