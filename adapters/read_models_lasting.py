"""Rows of runs that lasted long as columns, and back."""

from adapters.read_models_rows import Columns
from projections.lasting import LastingRow


def of_lasting(row: LastingRow) -> Columns:
    """The columns of lasting_rows, in the order of the table."""
    return row.environment, row.span, row.born, row.ended, row.run


def to_lasting(columns: Columns) -> LastingRow:
    """The row of these columns."""
    return LastingRow(*columns)
