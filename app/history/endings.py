"""How runs ended that have no error of their own, in a sentence: all who ask for a run are told the same."""

from domain.status import FINAL, Status
from projections.run_row import RunRow


def why_ended(row: RunRow) -> str | None:
    """Why a run is over that did not complete and has no error; None for all others."""
    if row.error is not None or row.status not in FINAL or row.status is Status.COMPLETED:
        return None
    match row.status:
        case Status.EXPIRED if row.ttl_ms:
            return f"Run expired because the TTL ({_seconds(row.ttl_ms)}) was reached"
        case Status.TIMED_OUT:
            # A row does not know the one that a task has for all of its runs.
            of = f" of {_seconds(row.max_duration_ms)}" if row.max_duration_ms else ""
            return f"Run exceeded its maximum duration{of}"
        case Status.CANCELED:
            return "Run was canceled"
        case _:
            return f"Run ended as {row.status}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1_000:.15g}s"
