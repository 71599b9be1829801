"""What subscribers of both kinds share: which runs are subscribed to, and which of them changed behind a position."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple

from app.engine.watching import Seen, Watcher, seen
from app.service import Service
from app.web.caller import Caller, history_of
from app.web.errors import Malformed
from app.web.grants import may, must, resources_of
from domain import states
from domain.batch import Batch
from domain.errors import NotFound
from domain.run import Run
from projections.filters import RunFilter

FOLLOW_SECONDS = 5.0
PAGE, PAGES_MAX = 500, 10
"""A first answer has the newest 5,000 runs."""
READ_AT_ONCE = 20
"""Of how many runs the events are read by one query."""
TAGS_MAX = 10


class TooMuchChanged(Exception):
    """More runs changed behind a position than one answer has: whoever comes back begins anew."""


class Shape(NamedTuple):
    """What is subscribed to. `since` is when runs were created at the earliest, in milliseconds."""

    watcher: Watcher
    handle: str
    since: int | None = None

    def has(self, run: Seen) -> bool:
        """Whether a run was not created before the beginning."""
        return self.since is None or run.row.created_at >= self.since


async def watcher_of_run(run: str, service: Service, caller: Caller) -> Watcher:
    """Who follows one run. Raises NotFound, NotGranted."""
    state = service.loop.engine.memory.run(run)
    if state is None or not _is_open(state, caller):
        must(caller, "read", *resources_of(seen(await history_of(run, service, caller)).row))
    return Watcher(caller.environment.id, run=run)


def _is_open(run: Run, caller: Caller) -> bool:
    """Whether it is clear without its history that the caller may read a run: by what never changes of it."""
    fixed = ("runs", run.id), ("tasks", run.task), *((("batch", run.batch),) if run.batch else ())
    return run.environment == caller.environment.id and may(caller, "read", *fixed)


async def watcher_of_batch(batch: str, service: Service, caller: Caller) -> Watcher:
    """Who follows the runs of a batch. Raises NotFound, NotGranted."""
    must(caller, "read", ("batch", batch), ("runs", ""))
    state = states.fold(await service.history(batch)) if batch.startswith("batch_") else None
    if not isinstance(state, Batch) or state.environment != caller.environment.id:
        raise NotFound(f"Batch {batch} not found.")
    return Watcher(caller.environment.id, batch=batch)


def watcher_of_tags(asked: str, caller: Caller) -> Watcher:
    """Who follows the runs that have all of these tags, which commas separate. Raises Malformed, NotGranted."""
    tags = frozenset(tag for tag in asked.split(",") if tag)
    if not 1 <= len(tags) <= TAGS_MAX:
        raise Malformed(f"A subscription by tags names 1 to {TAGS_MAX} of them under `tags`.")
    for tag in tags:
        must(caller, "read", ("tags", tag), ("runs", ""))
    return Watcher(caller.environment.id, tags=tags)


async def changed(shape: Shape, position: int, service: Service) -> tuple[AsyncIterator[Seen], int]:
    """The runs that changed behind a position (-1: all), oldest first, and up to where that is known.

    They are read as they are asked for: a long answer keeps nobody waiting, and one that is not read costs nothing.
    Raises TooMuchChanged, and never for a beginning, which has the newest runs.
    """
    watcher = shape.watcher
    if position > 0:
        # Whatever is committed from here on arrives at the watcher.
        upto = service.loop.feed.head.position
        touched = service.watching.touched(watcher, position)
        if touched is not None:
            return _behind(shape, position, touched, service), max(position, upto)
    if watcher.run is not None:
        run = seen(await service.history(watcher.run))
        return each_of([run] if run.row.position > position else []), max(position, run.row.position)
    upto = await service.followed(await service.head(), FOLLOW_SECONDS)
    found, has_more = await _listed(shape, position, service)
    if has_more and position > 0:
        # The list has the newest runs, and any of the others may have changed.
        raise TooMuchChanged
    return _read(found, service), max(position, upto)


async def each_of(runs: Iterable[Seen]) -> AsyncIterator[Seen]:
    """Runs that have been read."""
    for each in runs:
        yield each


async def _behind(shape: Shape, position: int, touched: list[str], service: Service) -> AsyncIterator[Seen]:
    """Those of the runs that the shape has, as they are now."""
    async for each in _read(touched, service):
        service.watching.remember(each)
        if each.row.position > position and shape.watcher.wants(each.row) and shape.has(each):
            yield each


async def _read(found: Sequence[str], service: Service) -> AsyncIterator[Seen]:
    """The runs, of which the last one comes first, as they are when it is their turn."""
    # Several threads that decode at a time would keep the event loop's from going on for as long as each may.
    turn = service.watching.long_answers if len(found) > READ_AT_ONCE else nullcontext()
    for start in range(len(found), 0, -READ_AT_ONCE):
        some = found[max(0, start - READ_AT_ONCE) : start]
        async with turn:
            histories = await service.read(service.ledger.read_streams, some)
        for run in reversed(some):
            yield seen(histories[run])


async def _listed(shape: Shape, position: int, service: Service) -> tuple[list[str], bool]:
    """The ids of the runs that the read models have for it, the newest first; and whether there are more."""
    watcher = shape.watcher
    wanted = RunFilter(
        batch=watcher.batch,
        tags_all=tuple(sorted(watcher.tags)),
        created_from=shape.since,
        behind=position if position > 0 else None,
    )
    found: list[str] = []
    after: str | None = None
    for _ in range(PAGES_MAX):
        page = partial(service.read_models.list_runs, watcher.environment, wanted, PAGE, after=after)
        rows, has_more = await service.read(page)
        found += [row.id for row in rows]
        if not has_more:
            return found, False
        after = rows[-1].id
    return found, True
