"""Runs and their history as a person reads them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.cli.output import duration, length, moment, print_fields, print_json, print_table, print_text
from runfold import Attempt, Run, RunError
from runfold.counting import counted
from runfold.run import TakenOver

_FOR_MACHINES = frozenset({"token", "worker", "version", "payload_size", "payload_type", "output_type"})
"""Details of events that people rarely ask for; `--json` has them."""
DETAIL_MAX = 120
_MOMENTS = frozenset({"at", "until", "began_at", "timeout_at"})
_LONG_ID = re.compile(r"([0-9a-f]{8})[0-9a-f]{24}")


def plain(run: Run[Any, Any]) -> dict[str, Any]:
    """A run as the API writes it."""
    return {name: value for name, value in msgspec.to_builtins(run).items() if value is not None}


def show(run: Run[Any, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(plain(run))
    else:
        print_run(run)


def print_runs(runs: Sequence[Run[Any, Any]]) -> None:
    if not runs:
        print_text("No runs.")
        return
    columns = ("run", "task", "status", "attempts", "created", "ran", "tags")
    rows = (
        (
            run.id,
            run.task,
            run.status,
            str(run.attempt_count),
            moment(run.created_at),
            _ran(run),
            " ".join(run.tags),
        )
        for run in runs
    )
    print_table(columns, rows)


def print_run(run: Run[Any, Any]) -> None:
    print_fields(_fields(run))
    if run.attempts:
        print_text("")
        print_attempts(run.attempts)
    if run.error and run.error.stack_trace:
        print_text(f"\n{run.error.stack_trace.rstrip()}")


def print_attempts(attempts: Sequence[Attempt]) -> None:
    columns = ("attempt", "status", "started", "took", "worker", "error")
    rows = (
        (
            str(each.number),
            each.status,
            moment(each.started_at),
            duration(each.started_at, each.finished_at),
            each.worker or "",
            error_text(each.error),
        )
        for each in attempts
    )
    print_table(columns, rows)


def print_events(history: Iterable[Mapping[str, Any]]) -> None:
    columns = ("position", "recorded", "event", "actor", "cause", "details")
    rows = (
        (
            str(each["position"]),
            clock(datetime.fromisoformat(each["recordedAt"])),
            each["type"],
            _LONG_ID.sub(r"\1…", each["actor"]),
            _LONG_ID.sub(r"\1…", each["cause"]),
            _details(each["data"]),
        )
        for each in history
    )
    print_table(columns, rows)


def error_text(error: RunError | None) -> str:
    """On one line."""
    if error is None:
        return ""
    return f"{error.name}: {error.message}" if error.name else error.message


def short(text: str) -> str:
    """As much of it as a table bears."""
    return text if len(text) <= DETAIL_MAX else f"{text[:DETAIL_MAX]}…"


def clock(value: datetime) -> str:
    """The time of day where the reader is."""
    return value.astimezone().strftime("%H:%M:%S.%f")[:-3]


def json_text(value: Any) -> str:
    """As compact as JSON is."""
    return msgspec.json.encode(value).decode()


def _fields(run: Run[Any, Any]) -> Iterable[tuple[str, str]]:
    yield "run", run.id
    yield "task", run.task
    yield "status", run.status
    yield "queue", run.queue or ""
    yield "tags", " ".join(run.tags)
    yield "version", run.version or ""
    yield "created", moment(run.created_at)
    yield "delayed until", moment(run.delayed_until)
    yield "started", moment(run.started_at)
    yield "finished", moment(run.finished_at)
    yield "ran", _ran(run)
    yield "ttl", run.ttl or ""
    yield "batch", run.batch_id or ""
    yield "idempotency key", run.idempotency_key or ""
    yield "replay of", run.replay_of or ""
    yield "event", f"{run.event.name} ({run.event.id})" if run.event else ""
    yield "taken over", _taken_over(run.taken_over)
    yield "erased", "what it was given and came to is gone" if run.is_erased else ""
    yield "payload", "" if run.payload is None else json_text(run.payload)
    yield "metadata", json_text(run.metadata) if run.metadata else ""
    yield "output", "" if run.output is None else json_text(run.output)
    yield "error", error_text(run.error)


def _ran(run: Run[Any, Any]) -> str:
    """For how long its attempts executed, without what was between them."""
    return length(run.duration_ms) if run.started_at and run.finished_at else ""


def _taken_over(taken: TakenOver | None) -> str:
    if taken is None:
        return ""
    edited = f", {len(taken.edited)} of them with another result" if taken.edited else ""
    return f"{counted(taken.entries, 'entry', 'entries')} of its journal{edited}"


def _details(data: Mapping[str, Any]) -> str:
    shown = ((name, value) for name, value in data.items() if name not in _FOR_MACHINES)
    return "  ".join(f"{name}={_detail(name, value)}" for name, value in shown)


def _detail(name: str, value: Any) -> str:
    match value:
        case str():
            return short(value)
        case int() if name in _MOMENTS:
            return clock(datetime.fromtimestamp(value / 1000, UTC))
        case {"message": str(message), "name": str(kind)}:
            return short(f"{kind}: {message}")
        case _:
            return short(json_text(value))
