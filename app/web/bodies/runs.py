"""Bodies about runs that exist."""

from typing import Any, Literal

from msgspec import Struct

from app.web.bodies.reading import StrictBody


class BulkBody(Struct, rename="camel"):
    """What to do with which runs: `runIds`, or those that `filter` finds, which has the filters of the list of runs."""

    action: Literal["cancel", "replay"]
    name: str | None = None
    run_ids: list[str] | None = None
    filter: dict[str, Any] | None = None


class EraseBody(StrictBody, rename="camel"):
    """Whether tags, idempotency key and concurrency key go as well."""

    with_names: bool = False


class EraseManyBody(EraseBody, rename="camel"):
    """Which finished runs to erase: `runIds`, or those with a `tag`, behind `after`, the `next` of an answer."""

    run_ids: list[str] | None = None
    tag: str | None = None
    after: str | None = None


class RetentionBody(StrictBody):
    """For how many days runs are kept after their end; null: for ever."""

    days: int | None


class RescheduleBody(Struct):
    """A new time for a delayed run."""

    delay: str


class ResetKeyBody(Struct, rename="camel"):
    """Whose idempotency key to free."""

    task_identifier: str


class TagsBody(Struct):
    """Further tags of a run."""

    tags: str | list[str]


class OperationBody(Struct):
    """One change of metadata: `type` is set, delete, append, remove, increment or update."""

    type: str
    key: str = ""
    value: Any = None


class MetadataBody(Struct, rename="camel"):
    """Changes of the metadata of a run, of its parent, of the root of its family."""

    metadata: dict[str, Any] | None = None
    operations: list[OperationBody] = []
    parent_operations: list[OperationBody] = []
    root_operations: list[OperationBody] = []
