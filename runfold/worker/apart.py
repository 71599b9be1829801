"""What the worker does beside the code of users, on one event loop with it."""

import asyncio
from typing import Any


def keep_apart(task: "asyncio.Task[Any]") -> None:
    """Leave a task of the worker out of `asyncio.all_tasks()`, all of which the code of a run may cancel.

    So a runner does not cancel it in the end: whoever makes such a task awaits it.
    """
    asyncio._unregister_task(task)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (documented for makers of tasks)
