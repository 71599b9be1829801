"""What triggering takes and gives back."""

from dataclasses import dataclass, field
from typing import Any, Generic, Unpack, cast

from runfold.codec import PLAIN, Types
from runfold.options import TriggerOptions
from runfold.typevars import PayloadT, ResultT


@dataclass(frozen=True)
class RunHandle(Generic[PayloadT, ResultT]):
    """A run that the engine has accepted; it knows the types of its task."""

    id: str
    is_cached: bool = False
    """The idempotency key was known: this is the run that was made then."""
    types: Types[PayloadT, ResultT] = field(default=cast("Types[PayloadT, ResultT]", PLAIN), repr=False, compare=False)


class BatchItem(Generic[PayloadT]):
    """One run of a batch with options of its own."""

    def __init__(self, payload: PayloadT, **options: Unpack[TriggerOptions]) -> None:
        self.payload = payload
        self.options = options


@dataclass(frozen=True)
class BatchHandle(Generic[PayloadT, ResultT]):
    batch_id: str
    runs: tuple[RunHandle[PayloadT, ResultT], ...]
    """In the order of the items."""


Ref = str | RunHandle[Any, Any]
"""A run, by id or by handle."""


def id_of(run: Ref) -> str:
    return run if isinstance(run, str) else run.id


def types_of(run: str | RunHandle[PayloadT, ResultT]) -> Types[PayloadT, ResultT]:
    return PLAIN if isinstance(run, str) else run.types
