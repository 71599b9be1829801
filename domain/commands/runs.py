"""Commands about runs."""

from msgspec import Raw, Struct, field

from domain.commands.base import Command
from domain.gates import Verdict
from domain.lifecycle import NewRun
from domain.metadata import Operation


class TriggerRuns(Command, frozen=True, kw_only=True):
    """Accept all these runs or none. Answer: list[Accepted], in the same order.

    `request` is the name of the request's own key: the same request sent again gets the same answer. `once` is that
    of a token for one use, which is good until `once_until`.
    """

    runs: list[NewRun]
    batch: str | None = None
    request: str | None = None
    once: str | None = None
    once_until: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])


class Accepted(Struct, frozen=True, gc=False):
    """The run that an item of a trigger got; `cached` if a key already stood for it.

    `differs` says that the key came with another payload then. `batch` is the one that the same request made before.
    """

    run: str
    cached: bool = False
    differs: bool = False
    batch: str | None = None


class CancelRun(Command, frozen=True, kw_only=True):
    """Stop a run. Answer: None."""

    run: str
    reason: str | None = None


class RescheduleRun(Command, frozen=True, kw_only=True):
    """Give a delayed run another time. Answer: None."""

    run: str
    until: int


class JudgePayloads(Command, frozen=True, kw_only=True):
    """What the schemas of versions say of the payloads of held runs. Answer: None."""

    verdicts: dict[str, Verdict]


class ExplainRun(Command, frozen=True, kw_only=True):
    """Why the run is where it is. It changes nothing. Answer: Explanation."""

    run: str


class AddTags(Command, frozen=True, kw_only=True):
    """Give a run further tags; those that it has are passed over. Answer: None."""

    run: str
    tags: tuple[str, ...]


class UpdateMetadata(Command, frozen=True, kw_only=True):
    """Change the metadata of a run, of its parent and of the root of its family. Answer: Raw, the run's after it.

    `replaces` takes the place of the run's metadata before its operations. A run that has no parent stands for it.
    `request` is the name of the request's own key: sent again, it changes nothing.
    """

    run: str
    request: str | None = None
    replaces: Raw | None = None
    operations: tuple[Operation, ...] = ()
    parent_operations: tuple[Operation, ...] = ()
    root_operations: tuple[Operation, ...] = ()


class GiveUpRun(Command, frozen=True, kw_only=True):
    """End a run with which the engine cannot go on. Answer: None."""

    run: str
    message: str


class ReturnRun(Command, frozen=True, kw_only=True):
    """Put a run back that could not be handed out after all, if its attempt has not started. Answer: None."""

    run: str
    token: int


class ResetKey(Command, frozen=True, kw_only=True):
    """Free an idempotency key. Answer: None."""

    key: str
