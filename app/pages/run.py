"""One run: what it is, why it is where it is, and everything that ever happened to it, now or at any event before."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw
from starlette.responses import Response

from app.engine.watching import seen
from app.event_formats import event_items
from app.keeping.archived import told_of
from app.pages.live import OVER, streamed
from app.pages.moment import FIELD, Look
from app.pages.rendering import render
from app.pages.timeline import draw
from app.pages.visits import Visit, see
from app.pages.windows import LINES, STEPS, Window, address, number_of, query_of, window
from domain.durations import iso
from domain.errors import NotFound
from domain.events import Recorded, RunLogged
from domain.status import FINAL
from projections.journal import EntryKind, EntryRow, EntryStatus, journal_of
from projections.run_row import RunRow

CHILDREN_MAX = 50
EVENTS_MAX = 200
LINES_MAX = 500
ENTRIES_MAX = 100
FAILURES_MAX = 10
SHOWN_MAX = 100_000
_AS_WRITTEN = frozenset({"payload", "output", "metadata"})
"""What users sent, which is shown as they wrote it."""
PARTS = ("summary", "past", "result", "timeline", "journal", "logs", "events")


class Value(NamedTuple):
    """What a user sent, as far as it is shown, and how many more characters there are."""

    text: str
    hidden: int


async def show(visit: Visit) -> Response:
    """The page of a run; with `event` as it was after so many of its events, with `moment` as it was then."""
    moment = await visit.look() if visit.query(FIELD) else None
    history = await history_of(visit)
    if moment is None:
        return visit.page("run.html", **await _values(visit, history, _upto(visit, len(history))))
    upto = sum(each.position <= moment.position for each in history)
    if not upto:
        raise NotFound(f"The run {history[0].stream} did not exist yet at {moment.time}.")
    # What follows of it may be much later.
    return visit.page("run.html", **await _values(visit, history, upto, moment))


async def live(visit: Visit) -> Response:
    """The parts of the same page, each time that they change, until the run is over."""

    async def parts() -> dict[str, str]:
        history = await history_of(visit)
        values = visit.frame() | await _values(visit, history, len(history))
        over = {OVER: ""} if values["is_over"] else {}
        return {part: render(f"parts/run_{part}.html", values) for part in PARTS} | over

    return await streamed(visit, parts)


async def cancel(visit: Visit) -> Response:
    """Stop it."""
    run = visit.named("run")
    await visit.api.post(f"/api/v2/runs/{run}/cancel")
    return see(f"/runs/{run}")


async def history_of(visit: Visit) -> Sequence[Recorded]:
    """All events of the run in the path, also of one that was archived. Raises NotFound."""
    run: str = visit.request.path_params["run"]
    return (await told_of(run, visit.environment.id, visit.reader)).history


def pretty(value: Raw) -> str:
    """JSON as people read it; numbers stay as they were written."""
    return msgspec.json.format(bytes(value).decode(), indent=2)


def _upto(visit: Visit, events: int) -> int:
    asked = number_of(visit.query("event"))
    return events if asked is None else min(max(1, asked), events)


async def _values(visit: Visit, history: Sequence[Recorded], upto: int, moment: Look | None = None) -> dict[str, Any]:
    run, is_past = history[0].stream, upto < len(history) or moment is not None
    then = history[:upto]
    as_of = moment.as_of if moment else {"asOf": str(then[-1].position)} if is_past else {}
    raw = (await visit.api.ask(f"/api/v3/runs/{run}", as_of)).raw
    shown: dict[str, Any] = {name: value if name in _AS_WRITTEN else _plain(value) for name, value in raw.items()}
    now = moment.wall if moment else then[-1].recorded_at if is_past else visit.now
    row = seen(then).row
    entries = journal_of(then)
    steps = window(visit, STEPS, len(entries), ENTRIES_MAX)
    shown_entries = entries[steps.first - 1 : steps.last]
    lines = window(visit, LINES, _count_of_lines(then), LINES_MAX)
    return {
        "run": shown,
        "payload": _value_of(raw, "payload"),
        "output": _value_of(raw, "output"),
        "metadata": _value_of(raw, "metadata"),
        "explanation": await visit.api.get(f"/api/v1/runs/{run}/explain", **as_of),
        "timeline": draw(
            then, await _children(visit, shown_entries), now, {each.entry.index for each in shown_entries}
        ),
        "journal": await _journal(visit, run, shown_entries, as_of),
        "steps": steps,
        "failures": [] if steps.is_whole else _failures(visit, entries),
        "logs": await _logs(visit, run, lines),
        "lines": lines,
        "events": _events(then),
        "before_events": address(visit, event=str(upto - EVENTS_MAX), moment="") if upto > EVENTS_MAX else "",
        "kept": query_of(visit),
        "event_count": len(history),
        "upto": upto,
        "is_past": is_past,
        "then": moment.time if moment else iso(then[-1].recorded_at),
        "is_over": row.status in FINAL,
        "job": row.job,
    }


async def _children(visit: Visit, entries: Sequence[EntryRow]) -> dict[str, RunRow]:
    """The runs that these entries made, as they are now, so many at most."""
    runs = [run for entry in entries for run in entry.runs][:CHILDREN_MAX]
    if not runs:
        return {}
    found = await visit.reader.read(visit.reader.ledger.read_streams, runs)
    return {run: seen(found[run]).row for run in runs if run in found}


async def _journal(visit: Visit, run: str, entries: Sequence[EntryRow], as_of: dict[str, str]) -> list[dict[str, Any]]:
    """These entries, their results as text. Where they are very large, the API tells only the first of them at once."""
    if not entries:
        return []
    wanted = {each.entry.index for each in entries}
    answer = await visit.api.get(f"/api/v1/runs/{run}/journal", after=str(min(wanted) - 1), **as_of)
    shown: list[dict[str, Any]] = [entry for entry in answer["entries"] if entry["index"] in wanted]
    return [entry | {"result": _compact(entry["result"])} if "result" in entry else entry for entry in shown]


def _failures(visit: Visit, entries: Sequence[EntryRow]) -> list[tuple[str, str]]:
    """The last steps that failed, each with the address of the part that ends with it."""
    failed = [
        (row.entry.name, f"{address(visit, steps=str(place))}#entry-{row.entry.index}")
        for place, row in enumerate(entries, 1)
        if row.kind is EntryKind.STEP and row.status is EntryStatus.FAILED
    ]
    return failed[-FAILURES_MAX:]


def _count_of_lines(history: Sequence[Recorded]) -> int:
    return sum(len(each.event.lines) for each in history if isinstance(each.event, RunLogged))


async def _logs(visit: Visit, run: str, shown: Window) -> list[dict[str, Any]]:
    """The lines of this part."""
    if not shown.total:
        return []
    answer = await visit.api.get(f"/api/v1/runs/{run}/logs", after=str(shown.first - 2))
    lines: list[dict[str, Any]] = answer["lines"][: shown.last - shown.first + 1]
    return [line | {"attributes": _compact(line["attributes"])} if "attributes" in line else line for line in lines]


def _events(history: Sequence[Recorded]) -> list[dict[str, Any]]:
    """The last events, the newest first; `number` is how many there were by then, `offset` how long after the first."""
    first = max(0, len(history) - EVENTS_MAX)
    items = event_items(history[first:])
    begun = history[0].occurred_at
    numbered = [
        item | {"number": first + place + 1, "offset": max(0, history[first + place].occurred_at - begun)}
        for place, item in enumerate(items)
    ]
    return [item | {"data": pretty(Raw(msgspec.json.encode(item["data"])))} for item in reversed(numbered)]


def _plain(value: Raw) -> Any:
    return msgspec.json.decode(value)


def _compact(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _value_of(raw: dict[str, Raw], name: str) -> Value | None:
    if name not in raw:
        return None
    text = pretty(raw[name])
    return Value(text[:SHOWN_MAX], max(0, len(text) - SHOWN_MAX))
