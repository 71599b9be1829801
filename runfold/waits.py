"""Wait inside a task, for as long as it takes: the run holds no slot meanwhile, and after a while no process either."""

from datetime import datetime
from typing import Any, TypeVar, overload

from runfold import current, transport
from runfold.codec import encode
from runfold.digests import digest_of
from runfold.durations import Duration, duration_ms, in_words
from runfold.entries import Outcome
from runfold.errors import JournalMismatchError, NotFoundError, RunfoldError, WaitTimeoutError
from runfold.handles import BatchHandle, RunHandle
from runfold.journal import Journal
from runfold.results import BatchResult, Target, TokenResult, name_of, of_target, told_of_target
from runfold.run import RunError, RunResult
from runfold.token import TokenRef

T = TypeVar("T")

LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, the latest that the engine takes."""


async def for_(duration: Duration) -> None:
    """Wait for so long."""
    milliseconds = duration_ms(duration)
    await _waited("wait.for", [milliseconds], milliseconds=milliseconds)


async def until(moment: datetime) -> None:
    """Wait until then; a moment that has passed is no wait."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone, so it names no moment: use datetime.now(UTC).")
    milliseconds = round(moment.timestamp() * 1000)
    if milliseconds > LAST_MS:
        raise ValueError(f"{moment.isoformat()} is too late: a wait ends before the year 10000 (UTC) begins.")
    await _waited("wait.until", [], until=max(milliseconds, 0))


async def for_token(token: TokenRef, *, timeout: Duration | None = None) -> TokenResult:  # noqa: ASYNC109 (it is not what a task's own timeout is)
    """Wait until somebody completes the token; not `ok` if it times out, or this does before."""
    target = name_of(token)
    outcome = await _waited_for("wait.token", [target], timeout, is_any=False)
    if outcome.timed_out:
        return TokenResult(id=target, ok=False, error=_too_late(timeout))
    result: TokenResult = await _read(target, token, outcome)
    return result


async def all(*targets: Target, timeout: Duration | None = None) -> tuple[Any, ...]:  # noqa: A001, ASYNC109 (as above)
    """Wait for all of them: tokens, runs, batches. Their results, in this order; raises WaitTimeoutError."""
    ids = [name_of(target) for target in targets]
    outcome = await _waited_for("wait.all", ids, timeout, is_any=False)
    if outcome.timed_out:
        raise WaitTimeoutError(f"After {in_words(timeout)}, {len(outcome.done)} of {len(ids)} are over.")
    return tuple([await _read(name, target, outcome) for name, target in zip(ids, targets, strict=True)])


async def any(*targets: Target, timeout: Duration | None = None) -> tuple[int, Any]:  # noqa: A001, ASYNC109 (as above)
    """Wait for the first of them: its place among the arguments and its result; raises WaitTimeoutError."""
    ids = [name_of(target) for target in targets]
    outcome = await _waited_for("wait.any", ids, timeout, is_any=True)
    if not outcome.done:
        raise WaitTimeoutError(f"After {in_words(timeout)}, none of {len(ids)} is over.")
    place = ids.index(outcome.done[0])
    return place, await _read(ids[place], targets[place], outcome)


@overload
async def for_run(run: RunHandle[Any, T]) -> RunResult[T]: ...
@overload
async def for_run(run: str) -> RunResult[Any]: ...
async def for_run(run: str | RunHandle[Any, Any]) -> RunResult[Any]:
    """Wait for the end of a run."""
    target = name_of(run)
    outcome = await _waited_for("wait.run", [target], None, is_any=False)
    result: RunResult[Any] = await _read(target, run, outcome)
    return result


@overload
async def for_batch(batch: BatchHandle[Any, T]) -> BatchResult[T]: ...
@overload
async def for_batch(batch: str) -> BatchResult[Any]: ...
async def for_batch(batch: str | BatchHandle[Any, Any]) -> BatchResult[Any]:
    """Wait until all runs of a batch have ended."""
    target = name_of(batch)
    outcome = await _waited_for("wait.batch", [target], None, is_any=False)
    result: BatchResult[Any] = await _read(target, batch, outcome)
    return result


async def _waited_for(name: str, targets: list[str], within: Duration | None, *, is_any: bool) -> Outcome:
    if not targets:
        raise ValueError("There is nothing to wait for.")
    milliseconds = None if within is None else duration_ms(within)
    outcome = await _waited(
        name, [targets, milliseconds], tuple(dict.fromkeys(targets)), milliseconds=milliseconds, is_any=is_any
    )
    if strange := {*outcome.done, *outcome.unknown} - {*targets}:
        raise _mismatch(name, strange, targets)
    if outcome.unknown:
        raise NotFoundError(404, f"{', '.join(outcome.unknown)} not found, so there is nothing to wait for.")
    return outcome


def _mismatch(name: str, before: set[str], now: list[str]) -> JournalMismatchError:
    """The code waits for something else than it did: with the results of that it must not go on."""
    journal = current_journal()
    error = JournalMismatchError(f'"{name}" waited for {", ".join(sorted(before))}, and now for {", ".join(now)}.')
    journal.close(error)
    return error


async def _waited(
    name: str,
    arguments: list[Any],
    targets: tuple[str, ...] = (),
    *,
    milliseconds: int | None = None,
    until: int | None = None,
    is_any: bool = False,
) -> Outcome:
    journal = current_journal()
    call = journal.begin(name, "waiting", digest_of(encode(arguments)))
    return await journal.wait(call, {"targets": targets, "for_ms": milliseconds, "until": until, "is_any": is_any})


async def _read(name: str, target: Target, outcome: Outcome) -> Any:
    if told := outcome.results.get(name):
        return told_of_target(name, target, bytes(told))
    with current_journal().reading(), transport.insisting():
        return await of_target(name, target)


def current_journal() -> Journal:
    """That of the run in whose code this is. Raises RunfoldError where nothing can wait."""
    journal = current.current_journal()
    if journal is None:
        if awaitable := current.to_await():
            raise RunfoldError(f"This task is async: `await {awaitable}(...)`.")
        raise RunfoldError(
            "Only the code of a task can wait: in an async task by `await runfold.aio.wait...`,"
            " in one that is not async by `runfold.wait...`."
        )
    if current.step.get() is not None:
        raise RunfoldError("A step cannot wait: it is done at once or not at all. Wait between steps.")
    return journal


def _too_late(timeout: Duration | None) -> RunError:
    return RunError(name="WaitTimeout", message=f"It was not completed within {in_words(timeout)}.")
