"""Which runs a bulk action touched: its own events tell, so rows of runs need not."""

from msgspec.structs import replace

from app.engine.reader import Reader
from app.history.moments import Moment
from domain.events import BulkAdvanced
from projections.filters import RunFilter


async def narrowed(reader: Reader, environment: str, wanted: RunFilter, moment: Moment | None = None) -> RunFilter:
    """The filter with the runs that its bulk action touched, up to a moment; none where there is no such action."""
    if wanted.bulk is None:
        return wanted
    history = await reader.history(wanted.bulk) if wanted.bulk.startswith("bulk_") else ()
    found = frozenset(
        run
        for recorded in history
        if recorded.environment == environment and (moment is None or recorded.position <= moment.position)
        if isinstance(recorded.event, BulkAdvanced)
        for run in recorded.event.runs
    )
    return replace(wanted, runs=found)
