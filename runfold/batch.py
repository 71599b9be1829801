"""A batch as the engine tells of it."""

from datetime import datetime
from typing import Literal

import msgspec


class RefusedItem(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An item of a batch that became no run, and why."""

    index: int
    """Its place among the items, from 0."""
    task: str = msgspec.field(name="taskIdentifier")
    error: str
    error_code: str | None = None


class _Processing(msgspec.Struct, frozen=True):
    errors: tuple[RefusedItem, ...] = ()


class ListedBatch(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A batch in a list, without its runs."""

    id: str
    status: Literal["PENDING", "PROCESSING", "PARTIAL_FAILED", "COMPLETED", "ABORTED"]
    run_count: int
    created_at: datetime
    updated_at: datetime
    """When it last got items, or ended."""


class Batch(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A batch at one moment."""

    id: str
    status: Literal["PENDING", "PROCESSING", "PARTIAL_FAILED", "COMPLETED", "ABORTED"]
    """Items are still to come; runs are under way; the same, with items that became no run; all is over; no run."""
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    run_count: int
    """How many items it was announced with."""
    runs: tuple[str, ...] = ()
    """The ids of its runs, in the order of the items."""
    idempotency_key: str | None = None
    processing: _Processing = _Processing()

    @property
    def refused(self) -> tuple[RefusedItem, ...]:
        """The items that became no run."""
        return self.processing.errors
