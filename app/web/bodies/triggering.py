"""Bodies that trigger several runs."""

import msgspec
from msgspec import Raw, Struct

from app.newruns.asked import KeyOptions, TriggerBody
from app.values import absent
from app.web.bodies.reading import Count


class BatchBody(Struct):
    """A trigger of several runs of one task."""

    items: list[TriggerBody]


class TaskItem(Struct):
    """A trigger of one run among several; the fields are looked at one by one, so that a bad one spoils no other."""

    task: str
    payload: Raw = msgspec.field(default_factory=absent)
    options: Raw = msgspec.field(default_factory=absent)


class TasksBatchBody(Struct):
    """A trigger of runs of several tasks."""

    items: list[TaskItem]


class BatchItem(TaskItem, kw_only=True):
    """One line of the items of a batch."""

    index: Count


class CreateBatchBody(Struct, rename="camel"):
    """A batch, whose items come next."""

    run_count: int
    task_identifiers: list[str] | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = msgspec.field(default=None, name="idempotencyKeyTTL")
    idempotency_key_options: KeyOptions | None = None
    parent_run_id: str | None = None
    resume_parent_on_completion: bool | None = None
