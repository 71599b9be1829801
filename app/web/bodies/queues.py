"""Bodies about queues."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from app.web.bodies.reading import StrictBody

QueueType: TypeAlias = Literal["id", "task", "custom"]


class PauseQueueBody(Struct):
    """Whether a queue pauses or goes on; `type` says how the path names it."""

    action: Literal["pause", "resume"]
    type: QueueType = "id"


class OverrideQueueBody(Struct, rename="camel"):
    """Another concurrency limit for a queue."""

    concurrency_limit: Annotated[int, Meta(ge=0, le=100_000)]
    type: QueueType = "id"


class ResetQueueBody(Struct):
    """Which queue is to have the limit of its tasks again."""

    type: QueueType = "id"


class ConcurrencyBody(StrictBody, rename="camel"):
    """The limit of a whole environment; null: none."""

    concurrency_limit: Annotated[int, Meta(ge=0, le=100_000)] | None
