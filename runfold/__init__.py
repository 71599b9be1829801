"""Background work that survives crashes and remembers everything."""

from runfold import aio, batches, queues, runs, tasks
from runfold.aio.queues import QueueState
from runfold.batch import Batch, RefusedItem
from runfold.bulk import BulkAction, BulkHandle
from runfold.config import configure
from runfold.context import Context
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
    NotFoundError,
    RateLimitError,
    RunfoldError,
    ServerError,
    UnprocessableError,
    UnresolvedAuthError,
)
from runfold.handles import BatchHandle, BatchItem, RunHandle
from runfold.policies import Debounce, Queue, RateLimit, Retry
from runfold.run import Attempt, Explanation, JournalEntry, Run, RunError, RunResult

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
    "BulkAction",
    "BulkHandle",
    "ConfigurationError",
    "Context",
    "Debounce",
    "Explanation",
    "InvalidPayloadError",
    "InvalidResultError",
    "JournalEntry",
    "NotFoundError",
    "Queue",
    "QueueState",
    "RateLimit",
    "RateLimitError",
    "RefusedItem",
    "Retry",
    "Run",
    "RunError",
    "RunHandle",
    "RunResult",
    "RunfoldError",
    "ServerError",
    "Task",
    "UnprocessableError",
    "UnresolvedAuthError",
    "aio",
    "batches",
    "configure",
    "queues",
    "runs",
    "task",
    "tasks",
]
