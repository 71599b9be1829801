"""The tasks that the engine brings along: no worker registers them, and no run of them waits for a version."""

from domain.events import TaskSettings
from domain.retry import Retry

PREFIX = "runfold/"
"""What the ids of tasks begin with that are Runfold's own."""
HTTP_TASK = f"{PREFIX}http"
EMAIL_TASK = f"{PREFIX}email"
VERSION = "builtin"
"""The version that all of them belong to, in every environment."""
RETRY = Retry(max_attempts=3, min_timeout_in_ms=500, max_timeout_in_ms=3_600_000)
"""For attempts that were lost with the engine; the others say themselves when the next one may start."""
TASKS: dict[str, TaskSettings] = {
    task: TaskSettings(task, retry=RETRY, ttl=0, retry_on_crash=True) for task in (HTTP_TASK, EMAIL_TASK)
}


def is_reserved(task: str) -> bool:
    """Whether only Runfold itself may have a task of this id."""
    return task.startswith(PREFIX)
