"""What users may rely on."""

import re
import tomllib
from pathlib import Path

import runfold
from runfold import aio, batches, events, queues, runs, schedules, tasks, tokens, wait
from runfold.aio import tokens as aio_tokens

ROOT = Path(__file__).parents[2]


def test_the_names_of_the_package() -> None:
    assert sorted(runfold.__all__) == [
        "AbortTaskRunError",
        "ApiConnectionError",
        "ApiError",
        "Attempt",
        "AuthenticationError",
        "BadRequestError",
        "Batch",
        "BatchHandle",
        "BatchItem",
        "BatchResult",
        "BulkAction",
        "BulkHandle",
        "ConfigurationError",
        "Context",
        "Debounce",
        "Event",
        "EventInfo",
        "EventRun",
        "Explanation",
        "InvalidPayloadError",
        "InvalidResultError",
        "JournalEntry",
        "JournalMismatchError",
        "ListedBatch",
        "ListedEvent",
        "LogLine",
        "NotFoundError",
        "Queue",
        "QueueState",
        "RateLimit",
        "RateLimitError",
        "RefusedItem",
        "Retry",
        "Run",
        "RunError",
        "RunFailedError",
        "RunHandle",
        "RunResult",
        "RunfoldError",
        "Schedule",
        "ScheduleState",
        "ScheduledRun",
        "SentEvent",
        "ServerError",
        "StepFailedError",
        "SyncContext",
        "Task",
        "TickFate",
        "Token",
        "TokenResult",
        "TokenState",
        "UnprocessableError",
        "UnresolvedAuthError",
        "WaitTimeoutError",
        "aio",
        "batches",
        "configure",
        "events",
        "queues",
        "runs",
        "schedules",
        "step",
        "step_key",
        "task",
        "tasks",
        "wait",
    ]
    assert all(hasattr(runfold, name) for name in runfold.__all__)


def test_both_ways_to_call_have_the_same_names() -> None:
    of_runs = {"cancel", "events", "list", "poll", "replay", "reschedule", "result", "retrieve", "explain"} | {
        *("add_tags", "update_metadata", "bulk_cancel", "bulk_replay", "journal", "logs"),
        *("subscribe_to_run", "subscribe_to_runs_with_tag", "subscribe_to_batch"),
    }
    of_batches = {"trigger", "retrieve", "results"}
    of_tokens = {"create_token", "complete_token", "retrieve_token", "list_tokens"}
    of_queues = {"list", "retrieve", "pause", "resume", "override", "reset_override"}

    assert all(callable(getattr(module, name)) for module in (runs, aio.runs) for name in of_runs)
    assert all(callable(getattr(module, name)) for module in (batches, aio.batches) for name in of_batches)
    assert all(callable(getattr(module, name)) for module in (queues, aio.queues) for name in of_queues)
    of_schedules = {"create", "update", "list", "retrieve", "activate", "deactivate", "delete"} | {
        *("run", "ticks", "backfill"),
    }
    assert all(callable(getattr(module, name)) for module in (schedules, aio.schedules) for name in of_schedules)
    assert all(callable(getattr(module, name)) for module in (tokens, aio_tokens) for name in of_tokens)
    of_events = {"send", "retrieve", "cancel"}
    assert all(callable(getattr(module, name)) for module in (events, aio.events) for name in of_events)
    assert all(
        callable(getattr(module, name)) for module in (tasks, aio.tasks) for name in ("trigger", "batch_trigger")
    )


def test_waits_block_and_are_awaited_by_the_same_names() -> None:
    names = {"for_", "until", "for_token", "for_run", "for_batch", "all", "any"}

    assert all(callable(getattr(module, name)) for module in (wait, aio.wait) for name in names)


def test_every_name_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text()

    assert [name for name in runfold.__all__ if not re.search(rf"`[^`\n]*\b{name}\b", page)] == []


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert runfold.__version__ == project["version"]
