"""How runs, batches and tokens came out."""

from typing import Any, Generic, TypeAlias
from urllib.parse import quote

import msgspec

from runfold import transport
from runfold.aio import tokens
from runfold.answers import Named, read
from runfold.codec import PLAIN, Types
from runfold.errors import NotFoundError, WaitTimeoutError
from runfold.handles import BatchHandle, RunHandle, id_of, types_of
from runfold.run import RunError, RunResult, read_result
from runfold.token import TokenRef, read_completion
from runfold.typevars import PayloadT, ResultT

Target: TypeAlias = TokenRef | RunHandle[Any, Any] | BatchHandle[Any, Any]
"""A run, a batch or a token, by id or by handle."""


class TokenResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a token was completed with if it is `ok`, or that it timed out."""

    id: str
    ok: bool
    output: Any = None
    error: RunError | None = None

    def unwrap(self) -> Any:
        """The output; raises WaitTimeoutError when there is none because nobody completed the token in time."""
        if self.ok:
            return self.output
        raise WaitTimeoutError(self.error.message if self.error else f"The token {self.id} timed out.")


class BatchResult(msgspec.Struct, Generic[ResultT], frozen=True, kw_only=True):
    """How the runs of a batch ended, in the order of its items; one that became no run is not among them."""

    id: str
    runs: tuple[RunResult[ResultT], ...]

    @property
    def ok(self) -> bool:
        """Whether all of them completed."""
        return all(run.ok for run in self.runs)

    def unwrap(self) -> tuple[ResultT, ...]:
        """The outputs; raises RunFailedError for the first run that did not complete."""
        return tuple(run.unwrap() for run in self.runs)


class _TokenOutcome(msgspec.Struct, rename="camel"):
    status: str
    output_type: str = "application/json"


class _Results(msgspec.Struct):
    items: list[msgspec.Raw]


async def of_run(run: str | RunHandle[Any, ResultT]) -> RunResult[ResultT] | None:
    """How the run ended, None while it has not (or while there is no such run)."""
    try:
        content = await transport.default.call("GET", f"/api/v1/runs/{quote(id_of(run), safe='')}/result")
    except NotFoundError:
        return None
    return read_result(content, types_of(run))


async def of_batch(batch: str | BatchHandle[PayloadT, ResultT]) -> tuple[RunResult[ResultT], ...]:
    """How the runs ended that have, in the order of the items; by handle, with outputs of the tasks' types."""
    name = batch if isinstance(batch, str) else batch.batch_id
    content = await transport.default.call("GET", f"/api/v1/batches/{quote(name, safe='')}/results")
    types: dict[str, Types[Any, Any]] = {} if isinstance(batch, str) else {run.id: run.types for run in batch.runs}
    items = read(content, _Results).items
    return tuple(read_result(bytes(item), types.get(_id_of(item), PLAIN)) for item in items)


async def of_token(token: str) -> TokenResult:
    """What the token was completed with; one that is not over is not `ok`."""
    state = await tokens.retrieve_token(token)
    return TokenResult(id=token, ok=state.status == "COMPLETED", output=state.output, error=state.error)


async def of_target(name: str, target: Target) -> Any:
    """What came of something that is over."""
    if name.startswith("waitpoint_"):
        return await of_token(name)
    if name.startswith("batch_"):
        batch = target if isinstance(target, BatchHandle) else name
        return BatchResult(id=name, runs=await of_batch(batch))
    result = await of_run(target if isinstance(target, RunHandle) else name)
    assert result is not None, "it is over, and stays so"
    return result


def told_of_target(name: str, target: Target, content: bytes) -> Any:
    """The same of a run or a token, from what the engine told along with the end of a wait."""
    if not name.startswith("waitpoint_"):
        return read_result(content, types_of(target) if isinstance(target, RunHandle) else PLAIN)
    told = read(content, _TokenOutcome)
    output, error = read_completion(content, told.output_type)
    return TokenResult(id=name, ok=told.status == "COMPLETED", output=output, error=error)


def name_of(target: Target) -> str:
    """The id."""
    if isinstance(target, str):
        return target
    return target.batch_id if isinstance(target, BatchHandle) else target.id


def _id_of(item: msgspec.Raw) -> str:
    return read(item, Named).id
