"""Rows of listed events and batches as columns, and back."""

from msgspec import json

from projections.listings import Begun, ListingRow, Standing
from projections.ports import Columns

_encode = json.Encoder().encode
_decode = json.Decoder(Begun).decode


def of_begun(row: ListingRow) -> Columns:
    """The columns of listing_rows, in the order of the table."""
    begun, now = row.begun, row.standing
    fixed = (begun.stream, begun.environment, begun.kind, begun.place, begun.name)
    return *fixed, now.status, now.position, now.changed_at, _encode(begun).decode()


def to_listing(columns: Columns) -> ListingRow:
    """The row of these columns. Raises ValueError (msgspec's errors are such) when they are none."""
    stream, environment, kind, place, name, status, position, changed_at, detail = columns
    begun = _decode(detail)
    if (stream, environment, kind, place, name) != (
        begun.stream,
        begun.environment,
        begun.kind,
        begun.place,
        begun.name,
    ):
        raise ValueError("The columns are those of another row.")
    return ListingRow(begun, Standing(stream, status, position, changed_at))
