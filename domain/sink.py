"""A sink: where the events of an environment are streamed to, and how far that is."""

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Recorded, SinkSpec

SINK = "sink"
CLOUDEVENTS, RUNFOLD = "cloudevents", "runfold"


class Sink(Struct, frozen=True, gc=False, omit_defaults=True):
    """Everything up to `position` has arrived, and a little more may have: that is told again under the same id."""

    id: str
    version: int
    environment: str
    spec: SinkSpec
    position: int
    created_at: int
    is_removed: bool = False


def evolve(sink: Sink | None, recorded: Recorded) -> Sink:
    """The sink after one event."""
    version = recorded.version
    match sink, recorded.event:
        case None, e.SinkAdded(spec=spec, after=after):
            return Sink(recorded.stream, version, recorded.environment, spec, after, recorded.recorded_at)
        case Sink(), e.SinkAdvanced(position=position):
            return replace(sink, version=version, position=position)
        case Sink(), e.SinkRemoved():
            return replace(sink, version=version, is_removed=True)
        case _, event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of sink {recorded.stream}.")
