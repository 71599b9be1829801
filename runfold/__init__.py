"""Background work that survives crashes and remembers everything."""

from runfold import aio, batches, events, queues, runs, schedules, tasks, wait
from runfold.aio.queues import QueueState
from runfold.batch import Batch, ListedBatch, RefusedItem
from runfold.bulk import BulkAction, BulkHandle
from runfold.config import configure
from runfold.context import Context, SyncContext
from runfold.declaring import task
from runfold.definition import Task
from runfold.errors import (
    AbortTaskRunError,
    ApiConnectionError,
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidPayloadError,
    InvalidResultError,
    JournalMismatchError,
    NotFoundError,
    RateLimitError,
    RunFailedError,
    RunfoldError,
    ServerError,
    StepFailedError,
    UnprocessableError,
    UnresolvedAuthError,
    WaitTimeoutError,
)
from runfold.event import Event, EventInfo, EventRun, ListedEvent, SentEvent
from runfold.handles import BatchHandle, BatchItem, RunHandle
from runfold.log import LogLine
from runfold.policies import Debounce, Queue, RateLimit, Retry
from runfold.results import BatchResult, TokenResult
from runfold.run import Attempt, Explanation, JournalEntry, Run, RunError, RunResult
from runfold.schedule import Schedule, ScheduledRun, ScheduleState, TickFate
from runfold.steps import step, step_key
from runfold.token import Token, TokenState

__version__ = "0.1.0"

__all__ = [
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
