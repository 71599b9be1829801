"""docs/reference/events.md: everything that can happen, with its fields."""

from typing import Any

import msgspec
from msgspec import Struct, inspect

from domain.calendar import Cron, Tick
from domain.events import (
    EVENTS,
    RUN_EVENTS,
    About,
    BlobRef,
    Callback,
    ChannelSpec,
    Edit,
    Entry,
    Event,
    EventRef,
    ItemError,
    JobRef,
    JobSpec,
    JobTiming,
    LogLine,
    Plan,
    Prefix,
    Queue,
    RateLimit,
    Recorded,
    RunError,
    Scheduled,
    SinkSpec,
    Subscription,
    Target,
    TaskSchedule,
    TaskSettings,
)
from domain.retry import OutOfMemory, Retry
from domain.timing import At, Every, Timetable
from domain.transitions import TRANSITIONS
from tests.app.references.markdown import code, page, sentence, table
from tests.app.references.statuses import sources_of, target_of

INTRODUCTION = """The ledger holds nothing but events, and everything else is computed from them. They are never edited.
`GET /api/v1/runs/{id}/events` tells those of one run, `GET /api/v1/ledger/events` all of an environment.
Moments inside `data` are milliseconds since 1970 (UTC); names that end with `_ms` are durations in milliseconds."""

ENVELOPE = (
    ("position", "integer", "The place in the ledger, counted from 1 without gaps."),
    ("id", "string", "To what it happened: a run, a batch, a bulk action, a queue, a key, an environment …"),
    ("version", "integer", "It is the so-many-th event of that, counted from 1."),
    ("type", "string", "One of the names below."),
    ("occurredAt", "ISO 8601 date", "When it happened; a worker's word counts within reason."),
    ("recordedAt", "ISO 8601 date", "When it was decided; it never decreases with the position."),
    (
        "actor",
        "string",
        "Who did it: `key:` and digits of the key's SHA-256, `admin`, `worker:` and its session, or the engine.",
    ),
    (
        "cause",
        "string",
        "What it answers: a request, `turn:` and its sequence, a timer, `event:` and its position, or an id.",
    ),
    ("data", "object", "The fields of the event, as below."),
)

OTHERS = {
    "EnvironmentCreated": "an environment",
    "ApiKeyCreated": "an environment",
    "ApiKeySealed": "an environment",
    "ApiKeyRevoked": "an environment",
    "VersionRegistered": "an environment",
    "VersionPromoted": "an environment",
    "EnvironmentLimited": "an environment",
    "RetentionSet": "an environment",
    "VariableSaved": "an environment",
    "VariableRemoved": "an environment",
    "QueuePaused": "a queue",
    "QueueResumed": "a queue",
    "QueueLimitOverridden": "a queue",
    "QueueLimitReset": "a queue",
    "QueueStartsCounted": "a queue",
    "ConnectionSaved": "a connection",
    "ConnectionRemoved": "a connection",
    "JobCreated": "an HTTP job",
    "JobChanged": "an HTTP job",
    "JobPaused": "an HTTP job",
    "JobFailed": "an HTTP job",
    "JobRecovered": "an HTTP job",
    "JobPausedByFailures": "an HTTP job",
    "JobResumed": "an HTTP job",
    "JobCompleted": "an HTTP job",
    "JobDeleted": "an HTTP job",
    "SecretSaved": "a secret of HTTP jobs",
    "SecretRemoved": "a secret of HTTP jobs",
    "ChannelSaved": "an alert channel",
    "ChannelRemoved": "an alert channel",
    "CertificateEnding": "an alert channel",
    "AlertTold": "an alert channel",
    "AlertHeld": "an alert channel",
    "AlertsSummed": "an alert channel",
    "SubjectFailed": "an alert channel",
    "SubjectRecovered": "an alert channel",
    "KeyClaimed": "an idempotency key, or the key of a single request",
    "KeyFreed": "an idempotency key",
    "BatchTriggered": "a batch",
    "BatchCreated": "a batch",
    "BatchItemsAccepted": "a batch",
    "BatchSealed": "a batch",
    "BatchExpired": "a batch",
    "BatchCompleted": "a batch",
    "BatchAborted": "a batch",
    "WaitpointCreated": "a waitpoint token",
    "WaitpointCompleted": "a waitpoint token",
    "WaitpointTimedOut": "a waitpoint token",
    "EventSent": "a named event",
    "EventPartlyDelivered": "a named event",
    "EventDelivered": "a named event",
    "EventCanceled": "a named event",
    "PacketStored": "a packet",
    "BulkStarted": "a bulk action",
    "BulkAdvanced": "a bulk action",
    "BulkCompleted": "a bulk action",
    "BulkAborted": "a bulk action",
    "ScheduleCreated": "a schedule",
    "ScheduleChanged": "a schedule",
    "ScheduleActivated": "a schedule",
    "ScheduleDeactivated": "a schedule",
    "ScheduleDeleted": "a schedule",
    "ScheduleReckoned": "a schedule",
    "TicksFired": "a schedule",
    "TicksSkipped": "a schedule",
    "TickBuffered": "a schedule",
    "BufferedTickFired": "a schedule",
    "BufferedTickDropped": "a schedule",
    "ScheduleRunByHand": "a schedule",
    "TicksBackfilled": "a schedule",
    "SinkAdded": "a sink",
    "SinkAdvanced": "a sink",
    "SinkRemoved": "a sink",
    "ErasureRecorded": "an erasure",
    "ErasureCompleted": "an erasure",
    "WriterStarted": "the writer of the ledger (of no environment, so no feed shows it)",
}
"""To what the events happen that are not a run's."""

PARTS: tuple[type[Struct], ...] = (
    *(JobRef, JobSpec, JobTiming, About, Callback, ChannelSpec),
    *(Entry, Prefix, Edit, LogLine, RunError, BlobRef, ItemError, TaskSettings, Queue, RateLimit, Retry, OutOfMemory),
    *(SinkSpec, Subscription, EventRef, TaskSchedule, Scheduled, Plan, Target, Timetable, Cron, Every, At, Tick),
)
WORDS: dict[type[inspect.Type], str] = {
    inspect.StrType: "string",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.RawType: "any JSON",
    inspect.DictType: "object",
    inspect.NoneType: "null",
    inspect.LiteralType: "string",
}


def text() -> str:
    """The whole page."""
    assert OTHERS.keys() == {event.__name__ for event in EVENTS if event not in RUN_EVENTS}
    return page(
        "Events",
        INTRODUCTION,
        "## What every event has",
        table(("field", "type", "meaning"), [(code(name), kind, meaning) for name, kind, meaning in ENVELOPE]),
        "## Events of a run",
        "From and to are [statuses](statuses.md).",
        *(_event(event, f"From: {sources_of(event)}. To: {target_of(event)}.") for event in RUN_EVENTS),
        "## Other events",
        *(_event(event, f"Happens to: {OTHERS[event.__name__]}.") for event in EVENTS if event not in RUN_EVENTS),
        "## Parts",
        *(f"### {part.__name__}\n\n{sentence(part)}\n\n{_fields(part)}" for part in PARTS),
    )


def _event(event: type[Event], where: str) -> str:
    return "\n\n".join(part for part in (f"### {event.__name__}", sentence(event), where, _fields(event)) if part)


def _fields(struct: type[Struct]) -> str:
    fields = msgspec.structs.fields(struct)
    kinds = inspect.type_info(struct)
    assert isinstance(kinds, inspect.StructType)
    types = {field.name: _words(field.type) for field in kinds.fields}
    rows = [
        (code(field.encode_name), types[field.name], "" if field.required else _default(field.default))
        for field in fields
    ]
    return table(("field", "type", "when it is absent"), rows) if rows else ""


def _words(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType(types=types):
            return " or ".join(_words(each) for each in types if not isinstance(each, inspect.NoneType))
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return f"list of {_words(item)}"
        case inspect.StructType(cls=cls):
            return f"[{cls.__name__}](#{cls.__name__.lower()})"
        case _:
            return WORDS[type(kind)]


def _default(default: Any) -> str:
    match default:
        case None | msgspec.Raw():
            return "none"
        case bool():
            return str(default).lower()
        case ():
            return "empty"
        case _:
            return f"`{default}`"


assert set(TRANSITIONS) == set(RUN_EVENTS)
assert Recorded.__struct_fields__ == (
    *("position", "stream", "version", "environment", "occurred_at", "recorded_at", "actor", "cause", "event"),
)
