"""What is added to what is known of a run: tags and metadata, also for a while after its end."""

from collections.abc import Callable

from msgspec import Raw

from domain import events as e
from domain import metadata as objects
from domain.commands import UpdateMetadata
from domain.errors import InvalidInput, NotAllowed, TooLate
from domain.events import RunEvent
from domain.run import Run
from domain.states import State

TAGS_MAX = 10
AFTER_THE_END_MS = 3_600_000
"""For so long after its end the metadata of a run may still be changed (Trigger.dev's rule)."""


def add_tags(run: Run, tags: tuple[str, ...]) -> list[RunEvent]:
    """Give a run those of the tags that it does not have. Raises InvalidInput when they become too many."""
    _check_not_erased(run)
    more = tuple(tag for tag in dict.fromkeys(tags) if tag not in run.tags)
    have = len(set(run.tags))
    if have + len(more) > TAGS_MAX:
        raise InvalidInput(
            f"A run has at most {TAGS_MAX} tags: run {run.id} has {have}, and {len(more)} are to be added."
        )
    return [e.TagsAdded(more)] if more else []


def update_metadata(run: Run, asked: UpdateMetadata, state: Callable[[str], State | None], now: int) -> dict[str, Raw]:
    """The metadata after it, of each run of the family that it changes. Raises InvalidInput, TooLarge, TooLate."""
    members = {run.id: run}
    after: dict[str, Raw] = {}
    if asked.replaces is not None:
        after[run.id] = asked.replaces
    for stream, operations in (
        (run.id, asked.operations),
        (run.parent or run.id, asked.parent_operations),
        (run.root or run.id, asked.root_operations),
    ):
        if not operations:
            continue
        member = members[stream] if stream in members else state(stream)
        assert isinstance(member, Run), "the parent and the root of a run are runs"
        members[stream] = member
        after[stream] = objects.apply(after.get(stream, member.metadata), operations)
    for stream in after:
        _check_not_erased(members[stream])
        ended = members[stream].ended_at
        if ended is not None and now > ended + AFTER_THE_END_MS:
            raise TooLate(f"Run {stream} ended more than an hour ago: its metadata cannot be changed any more.")
    return {stream: value for stream, value in after.items() if value != members[stream].metadata}


def _check_not_erased(run: Run) -> None:
    if run.is_erased:
        what = "archived" if run.is_archived else "erased"
        raise NotAllowed(f"Run {run.id} was {what}: nothing is added to it any more.")
