"""What a replay that begins at a step takes over from the run that it replays."""

from collections.abc import Mapping, Sequence

from msgspec import Raw
from msgspec.structs import replace

from app.engine.reader import Reader
from app.history.lineage import Journaled, journal_of
from app.values import stored
from domain import events as e
from domain import prefix
from domain.events import Edit, Prefix, Recorded
from domain.lifecycle import NewRun
from domain.prefix import Known

RESULT_MAX_BYTES = 3_145_728


async def beginning_at(
    step: str,
    results: Mapping[str, Raw],
    new: NewRun,
    history: Sequence[Recorded],
    reader: Reader,
) -> tuple[NewRun, dict[str, bytes]]:
    """The run, to begin at this step with these results of steps, and the large ones. Raises InvalidInput."""
    run = history[0].stream
    lines = await reader.read(journal_of, reader.ledger, history)
    journal = [Known(line.event.entry, _is_step(line.event)) for line in lines]
    begun = prefix.begin_at(step, results, run, journal)
    edits: list[Edit] = []
    blobs: dict[str, bytes] = {}
    for name, index in begun.edited.items():
        key = f"{new.id}/step/{index}"
        inline, ref, more = stored(results[name], key, RESULT_MAX_BYTES, f"result of {name[:60]!r}")
        edits.append(Edit(index, inline, ref))
        blobs |= more
    taken = Prefix(run, history[-1].version, begun.entries, tuple(edits))
    return (replace(new, prefix=taken) if begun.entries else new), blobs


def _is_step(event: Journaled) -> bool:
    return isinstance(event, e.StepSucceeded | e.StepFailed | e.StepTryFailed)
