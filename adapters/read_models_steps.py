"""What it means on every database to follow the ledger by a few events."""

from collections import Counter
from collections.abc import Sequence

from domain.errors import OutOfStep
from domain.events import Recorded
from domain.ports import Head
from projections.fold import Changes, count


def unfollowed(records: Sequence[Recorded], head: Head, at: Head, *, is_our_shape: bool) -> Sequence[Recorded]:
    """Those of the events up to `head` that are behind `at`. Raises OutOfStep when they do not follow it."""
    if not is_our_shape:
        raise OutOfStep("The read models were written in another shape: rebuild them.")
    if head.position <= at.position:
        return ()
    first = records[0].position
    if first > at.position + 1:
        raise OutOfStep(f"The read models are at event {at.position}, and event {first} is to follow.")
    return records[at.position + 1 - first :]


def added(records: Sequence[Recorded], changes: Changes) -> Counter[str]:
    """How many rows more there must be in each table, counted from the events."""
    rows = count(records)
    tags = len(changes.tags) - len(changes.untagged)
    return Counter(
        run_rows=rows.runs,
        attempt_rows=rows.attempts,
        tag_rows=tags,
        state_rows=rows.states,
        waitpoint_rows=rows.waitpoints,
        execution_rows=rows.executions,
        schedule_rows=rows.schedules,
        lasting_rows=len(changes.lasting) - len(changes.lasting_gone),
        listing_rows=rows.listings,
        waitpoint_tag_rows=len(changes.waitpoint_tags) - len(changes.waitpoint_untagged),
    )
