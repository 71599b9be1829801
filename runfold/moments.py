"""Moments of the past: everything can be asked for as it was."""

from datetime import datetime

from runfold.filters import epoch_ms

Moment = datetime | int | str
"""A time, a position of the ledger, or either of them as text (times as ISO 8601)."""


def as_of_on_wire(as_of: Moment | None) -> dict[str, str]:
    """The part of a query that names a moment; nothing for now. Raises ValueError for a time without a zone."""
    if as_of is None:
        return {}
    return {"asOf": str(epoch_ms(as_of) if isinstance(as_of, datetime) else as_of)}
