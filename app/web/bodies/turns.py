"""The body of a worker's turn."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from app.values import MediaType, absent
from app.web.bodies.reading import Count, Dated, Moment, Span
from domain.events import JSON_TYPE, OUT_OF_MEMORY, Entry, RunError

RETRY_IN_MS_MAX = 7 * 86_400_000


class ErrorBody(Struct, rename="camel"):
    """What a worker says of a failure."""

    message: str
    name: str = "Error"
    stack_trace: str | None = None
    code: str | None = None
    exit_code: int | None = None
    signal: str | None = None

    def as_error(self) -> RunError:
        """In the domain's terms. Of the codes, which the engine reacts to, a worker can tell one."""
        return RunError(
            self.message[:8_192],
            self.name[:256],
            self.stack_trace and self.stack_trace[:32_768],
            OUT_OF_MEMORY if self.code == OUT_OF_MEMORY else None,
            self.exit_code,
            self.signal and self.signal[:32],
        )


class EntryBody(Struct, rename="camel"):
    """The place of something in the journal of a run."""

    index: Count
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    number: Annotated[int, Meta(ge=1, le=2**53)] = 1
    after: Count | None = None
    forked: bool = False
    digest: Annotated[str, Meta(max_length=64)] | None = None
    heard: tuple[Count, ...] | None = None
    left: tuple[Count, ...] = ()
    ahead: Count = 0

    def as_entry(self) -> Entry:
        """In the domain's terms."""
        place = self.index, self.name, self.number, self.after, self.forked
        return Entry(*place, self.digest, self.heard, self.left, self.ahead)


class LineBody(Struct):
    """A line that the code of a run logged."""

    at: Moment
    level: Literal["debug", "info", "warning", "error"]
    message: str
    attributes: Raw = msgspec.field(default_factory=absent)


class ReportBody(Struct, rename="camel"):
    """One report of a worker (docs/reference/worker-protocol.md)."""

    run: str
    token: Count
    kind: str
    at: Moment
    output: Raw = msgspec.field(default_factory=absent)
    output_type: MediaType = JSON_TYPE
    error: ErrorBody | None = None
    retryable: bool = True
    retry_in_ms: Annotated[int, Meta(ge=0, le=RETRY_IN_MS_MAX)] | None = None
    entry: EntryBody | None = None
    runs: tuple[str, ...] = ()
    batch: str | None = None
    cached: tuple[Count, ...] | None = None
    targets: tuple[str, ...] = ()
    is_any: bool = msgspec.field(default=False, name="any")
    until: Dated | None = None
    for_ms: Span | None = msgspec.field(default=None, name="for")
    waits: tuple[Count, ...] = ()
    lines: tuple[LineBody, ...] = ()
    first: Count = 0
    began: Moment | None = None


class TurnBody(Struct, rename="camel"):
    """One turn of a worker."""

    session: str
    version: str
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    received: Count = 0
    want: Count = 0
    wait_ms: Count = 0
    holds: list[tuple[str, Count]] | None = None
    machines: list[str] | None = None
    waits: tuple[tuple[str, Count, tuple[Count, ...]], ...] = ()
    name: str | None = None
    leaving: bool = False
    reports: list[ReportBody] = []
