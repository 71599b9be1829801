"""Trigger tasks by id, where their code is not at hand."""

from collections.abc import Sequence
from typing import Any, Unpack

from runfold.codec import PLAIN
from runfold.handles import BatchHandle, RunHandle
from runfold.options import TriggerOptions
from runfold.triggering import NOTHING, Triggering


async def trigger(task_id: str, payload: Any = NOTHING, **options: Unpack[TriggerOptions]) -> RunHandle[Any, Any]:
    """Make a run of the task with this id."""
    return await Triggering(task_id, PLAIN).one(payload, options)


async def batch_trigger(task_id: str, items: Sequence[Any]) -> BatchHandle[Any, Any]:
    """Make a run for each payload or BatchItem, all of them or none, at most 1000."""
    return await Triggering(task_id, PLAIN).batch(items)
