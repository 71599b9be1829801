"""What the engine's process reads from the ledger for workers: the journals of runs, and what became of them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import json

from app.engine.triggered import asked_of
from app.history.journal import JournalEntry, page_of
from domain.commands import Command, HandOut, TurnAnswer
from domain.draft import Answer
from tests.simulation.network import LOST, Reply
from tests.simulation.server import Server
from tests.simulation.world import ModelLedger

PAGE_MAX = 3
"""How many entries of a journal come at once."""


class Letter(TurnAnswer, frozen=True):
    """The answer to a turn, with the programs of its runs and the beginnings of their journals."""

    programs: Mapping[str, str] = MappingProxyType({})
    journals: Mapping[str, Sequence[JournalEntry]] = MappingProxyType({})


class ReadJournal(Command, frozen=True, kw_only=True):
    """The entries of a run's journal behind an index, as many as a page takes."""

    run: str
    after: int


class ReadResults(Command, frozen=True, kw_only=True):
    """What became of runs and batches that are over."""

    streams: Sequence[str]


class Shelf:
    """Answers reads at once, from what is committed, while there is an engine."""

    def __init__(self, server: Server, ledger: ModelLedger, results_of: Callable[[Sequence[str]], Any]) -> None:
        self._server = server
        self._ledger = ledger
        self._results_of = results_of

    def receive(self, make: Callable[[], Command], reply: Reply) -> None:
        """Take a request to read."""
        if self._server.engine is None:
            reply(LOST)
            return
        match make():
            case ReadJournal(run=run, after=after):
                reply(self._page(run, after))
            case ReadResults(streams=streams):
                reply(self._results_of(streams))
            case command:
                raise AssertionError(command)

    def dress(self, answer: Answer) -> Answer:
        """An answer as it leaves the engine's process."""
        if not isinstance(answer, TurnAnswer) or not answer.runs:
            return answer
        programs = {hand.run: self._program_of(hand) for hand in answer.runs}
        journals = {hand.run: self._page(hand.run) for hand in answer.runs if hand.journal}
        said = (answer.sequence, answer.runs, answer.cancels, answer.refused, answer.woken)
        return Letter(*said, programs=programs, journals=journals)

    def _program_of(self, hand: HandOut) -> str:
        name: str = json.decode(asked_of(self._ledger.read_streams([hand.run])[hand.run]).payload)
        return name

    def _page(self, run: str, after: int = -1) -> list[JournalEntry]:
        return page_of(self._ledger, self._ledger.read_streams([run])[run], after)[:PAGE_MAX]


class Front:
    """The engine's process as workers and clients meet it."""

    def __init__(self, server: Server, shelf: Shelf) -> None:
        self._server = server
        self._shelf = shelf

    def receive(self, make: Callable[[], Command], reply: Reply) -> None:
        """Take a request, and reply once."""
        self._server.receive(make, lambda answer: reply(self._shelf.dress(answer)))
