"""Trigger tasks by id. The calls are those of `runfold.aio.tasks`, for code that does not await."""

from runfold.aio import tasks as aio
from runfold.blocking import blocking

trigger = blocking(aio.trigger)
batch_trigger = blocking(aio.batch_trigger)
