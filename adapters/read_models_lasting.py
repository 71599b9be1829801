"""Rows of runs that lasted long as columns, and back."""

from projections.lasting import LastingRow
from projections.ports import Columns


def of_lasting(row: LastingRow) -> Columns:
    """The columns of lasting_rows, in the order of the table."""
    return row.environment, row.span, row.born, row.ended, row.run


def to_lasting(columns: Columns) -> LastingRow:
    """The row of these columns."""
    return LastingRow(*columns)
