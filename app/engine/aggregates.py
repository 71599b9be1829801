"""Aggregates of kinds of which there are few: they are folded anew for whoever asks, up to now or up to a position."""

from collections.abc import Sequence

from app.engine.reader import Reader
from domain import states
from domain.events import Recorded
from domain.states import State


async def histories_of(
    reader: Reader, kind: str, environment: str, *, upto: int | None = None
) -> dict[str, Sequence[Recorded]]:
    """The history of each aggregate of a kind that an environment has, or had at a position, by its stream."""
    every = await reader.read(reader.ledger.read_kind, kind)
    ours = {stream: until(upto, each) for stream, each in every.items() if each[0].environment == environment}
    return {stream: history for stream, history in ours.items() if history}


async def states_of(reader: Reader, kind: str, environment: str, *, upto: int | None = None) -> list[State]:
    """What these histories tell of."""
    found = map(states.fold, (await histories_of(reader, kind, environment, upto=upto)).values())
    return [state for state in found if state is not None]


def until(upto: int | None, history: Sequence[Recorded]) -> Sequence[Recorded]:
    """As much of a history as there was at a position, maybe nothing; None: now."""
    return history if upto is None else [each for each in history if each.position <= upto]
