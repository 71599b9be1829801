"""The messages of the worker protocol, as docs/reference/worker-protocol.md has them."""

from typing import Literal

import msgspec

from runfold.policies import Declaration

Hold = tuple[str, int]
"""A run and the fencing token under which it was handed out."""


class Environment(msgspec.Struct, frozen=True):
    id: str
    slug: str
    type: str


class Registration(msgspec.Struct, frozen=True):
    sdk: str
    tasks: list[Declaration]


class Registered(msgspec.Struct, frozen=True, rename="camel"):
    version: str
    lease_ms: int
    wait_ms: int
    environment: Environment


class Error(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    name: str
    message: str
    stack_trace: str | None = None


Kind = Literal["started", "succeeded", "failed", "crashed", "released"]


class Report(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What happened to one run."""

    run: str
    token: int
    kind: Kind
    at: int
    output: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Error | None = None
    retryable: bool | msgspec.UnsetType = msgspec.UNSET


class Turn(msgspec.Struct, rename="camel", omit_defaults=True):
    session: str
    version: str
    sequence: int
    received: int
    want: int
    wait_ms: int
    holds: list[Hold] | None = None
    reports: list[Report] = []


class HandOut(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A run for this worker."""

    id: str
    token: int
    task: str
    attempt: int
    queue: str
    created_at: int
    environment: Environment
    payload: msgspec.Raw = msgspec.Raw(b"null")
    tags: tuple[str, ...] = ()
    max_attempts: int | None = None
    max_duration: int | None = None
    is_test: bool = False
    idempotency_key: str | None = None
    batch_id: str | None = None
    traceparent: str | None = None


class Cancel(msgspec.Struct, frozen=True):
    """Stop the run and report nothing. `reason` is CANCELED, TIMED_OUT or GONE."""

    run: str
    token: int
    reason: str


class Refused(msgspec.Struct, frozen=True):
    """A report that came too late, or for a run that is another's by now."""

    run: str
    token: int
    error: str


class TurnAnswer(msgspec.Struct, frozen=True):
    sequence: int
    runs: list[HandOut] = []
    cancels: list[Cancel] = []
    refused: list[Refused] = []
