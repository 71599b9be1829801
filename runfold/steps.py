"""Steps: parts of a task that are done once, however often the task's code is run again."""

import asyncio
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial, update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

import msgspec

from runfold import current
from runfold.blocking import blocking
from runfold.codec import encode, encode_result
from runfold.digests import digest_of
from runfold.entries import Call, Entry
from runfold.errors import AbortTaskRunError, InvalidResultError, RunfoldError, StepFailedError
from runfold.journal import Journal
from runfold.policies import Retry
from runfold.returns import codec_of
from runfold.run import RunError
from runfold.texts import is_whole
from runfold.tries import Tries, note_cancel, noting_cancel, pass_tries, rest

P = ParamSpec("P")
R = TypeVar("R")
Q = ParamSpec("Q")
S = TypeVar("S")

RESULT_MAX_BYTES = 10_485_760
NAME_MAX = 256
_FAILURES = (Exception, SystemExit, KeyboardInterrupt, asyncio.CancelledError)
"""What a step may fail of; anything else ends the code that calls it."""


async def run_step(
    journal: Journal, name: str, function: Callable[..., Any], arguments: "Arguments", retry: Retry | None = None
) -> Any:
    """What the step returned when it was first done; it is done now if it was not."""
    call = journal.begin(_valid(name), "step", arguments.digest())
    if call.tries:
        await pass_tries(journal, call)
    if call.known is not None:
        await journal.turn(call.known)
        return _first(call.known, function)
    if journal.is_owed:
        with noting_cancel(journal, call):
            await journal.admit(call)
    tries: Tries | None = None
    journal.begin_work()
    try:
        while True:
            failure: BaseException | None = None
            written: tuple[msgspec.Raw, Any] | None = None
            token = current.step.set(current.StepKey(call))
            try:
                result = function(*arguments.args, **arguments.kwargs)
                if inspect.isawaitable(result):
                    result = await result
                written = _written(call, function, result)
            except _FAILURES as error:
                failure = error
            finally:
                current.step.reset(token)
            if written is not None:
                await journal.record(call, "step_succeeded", output=written[0])
                return written[1]
            assert failure is not None, "it came to one or the other"
            tries = tries or Tries(retry, journal.chance, len(call.tries))
            await _again_or_fail(journal, call, tries, failure)
    finally:
        journal.end_work()


def run_step_sync(
    journal: Journal, name: str, function: Callable[..., Any], arguments: "Arguments", retry: Retry | None = None
) -> Any:
    """The same for code that cannot await: the body runs in the thread of the caller."""

    async def begin() -> Call:
        call = journal.begin(_valid(name), "step", arguments.digest())
        await pass_tries(journal, call)
        if call.known is None:
            await journal.admit(call)
            journal.begin_work()
        else:
            await journal.turn(call.known)
        return call

    async def end() -> None:
        journal.end_work()

    call = blocking(begin)()
    if call.known is not None:
        return _first(call.known, function)
    tries = Tries(retry, journal.chance, len(call.tries))
    try:
        while True:
            try:
                with _inside(call):
                    result = _not_awaited(function, function(*arguments.args, **arguments.kwargs))
                content, value = _written(call, function, result)
            except _FAILURES as error:
                failure = error
            else:
                blocking(journal.record)(call, "step_succeeded", output=content)
                return value
            blocking(_again_or_fail)(journal, call, tries, failure)
    finally:
        blocking(end)()


_OF_NONE = digest_of(encode([(), {}]))
"""The digest of no arguments."""


class Arguments:
    """What a step is called with."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs

    def digest(self) -> str | None:
        """Tells them from others, None where they cannot be written."""
        if not self.args and not self.kwargs:
            return _OF_NONE
        try:
            # Sets have no order of their own, and another one in each process.
            return digest_of(encode([self.args, self.kwargs], order="deterministic"))
        except Exception:  # noqa: BLE001 (types of users may run any code of theirs here)
            return None


async def _again_or_fail(journal: Journal, call: Call, tries: Tries, error: BaseException) -> None:
    """Wait for the next try. Raises StepFailedError, once that is in the journal, when there is none."""
    if isinstance(error, MemoryError):
        # There is none to go on with: the attempt ends, whatever the code does about it.
        journal.close(error)
    if journal.is_closed:
        raise error
    if isinstance(error, asyncio.CancelledError) and current.is_being_cancelled():
        note_cancel(journal, call)
        raise error
    seconds = tries.seconds(error)
    told = journal.describe(error)
    if seconds is not None:
        await rest(journal, call, told, seconds)
        return
    if isinstance(error, AbortTaskRunError):
        told = msgspec.structs.replace(told, name=AbortTaskRunError.__name__)
    await journal.record(call, "step_failed", error=told)
    raise _failure(call.name, RunError(message=told.message, name=told.name, stack_trace=told.stack_trace)) from error


def _failure(step: str, error: RunError) -> RunfoldError:
    """What is raised where a step has failed, now as ever after."""
    is_abort = error.name == AbortTaskRunError.__name__
    return AbortTaskRunError(error.message) if is_abort else StepFailedError(step, error)


def _written(call: Call, function: Callable[..., Any], result: Any) -> tuple[msgspec.Raw, Any]:
    """The result as it is kept, and as a resumed run reads it: it makes no difference which of the two goes on."""
    content = encode_result(result)
    size = memoryview(content).nbytes
    if size > RESULT_MAX_BYTES:
        raise InvalidResultError(f'The result of "{call.name}" has {size} bytes of JSON; at most {RESULT_MAX_BYTES}.')
    return content, _read(function, content)


def _first(known: Entry, function: Callable[..., Any]) -> Any:
    if known.kind == "succeeded":
        return _read(function, known.result)
    raise _failure(known.name, known.error or RunError(message="It is not known why."))


def _not_awaited(function: Callable[..., Any], result: Any) -> Any:
    if not inspect.iscoroutine(result):
        return result
    result.close()
    raise RunfoldError(f"{_name_of(function)} is async, and so must be the task that makes a step of it.")


def _valid(name: str) -> str:
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # code without annotations gives anything
        raise TypeError(f"The name of a step is a text, not {type(name).__name__}.")
    if not 0 < len(name) <= NAME_MAX:
        raise ValueError(f"The name of a step has 1 to {NAME_MAX} characters, not {len(name)}.")
    if not is_whole(name):
        raise ValueError(f"The name of a step cannot hold half of a surrogate pair: {name!r}.")
    return name


def _read(function: Callable[..., Any], content: msgspec.Raw) -> Any:
    try:
        return codec_of(function).decode(content)
    except Exception as error:  # types of users may run any code of theirs here
        raise InvalidResultError(f"The result of {_name_of(function)} does not fit its annotation: {error}") from error


def _name_of(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


@contextmanager
def _inside(call: Call) -> Generator[None]:
    token = current.step.set(current.StepKey(call))
    try:
        yield
    finally:
        current.step.reset(token)


def step_key() -> str:
    """The idempotency key of the step whose body this is, the same in each repeat. Raises RunfoldError elsewhere."""
    here = current.step.get()
    if here is None:
        raise RunfoldError("There is no step here: only the body of a step has a key.")
    return here.key


class Step(Generic[P, R]):
    """Made by `@step`. Called in the code of a run it is done once; elsewhere it is the plain function."""

    __name__: str

    def __init__(self, function: Callable[P, R], name: str | None = None, retry: Retry | None = None) -> None:
        self._function = function
        self._name = name or _name_of(function)
        self._retry = retry
        self._is_async = inspect.iscoroutinefunction(function)
        update_wrapper(self, function)

    @overload
    def __get__(self, instance: None, owner: type) -> "Step[P, R]": ...
    @overload
    def __get__(self: "Step[Concatenate[S, Q], R]", instance: S, owner: type) -> Callable[Q, R]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        """As a function does: as a method it is called with its instance."""
        return self if instance is None else partial(self, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        journal = current.current_journal()
        if journal is None or current.step.get() is not None:
            # A step in a step is a part of it.
            return self._function(*args, **kwargs)
        arguments = Arguments(args, kwargs)
        if self._is_async:
            return cast("R", run_step(journal, self._name, self._function, arguments, self._retry))
        if current.is_awaited():
            raise RunfoldError(
                f"The step {self._name} is not async: in an async task, `await ctx.step({self._name!r}, ...)` calls it."
            )
        return cast("R", run_step_sync(journal, self._name, self._function, arguments, self._retry))


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(*, name: str | None = None, retry: Retry | None = None) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(function: Any = None, /, *, name: str | None = None, retry: Retry | None = None) -> Any:
    """Make a function a step: `@step` or `@step(name="charge", retry=Retry(max_attempts=5))`."""

    def make(function: Callable[P, R]) -> Step[P, R]:
        return Step(function, name, retry)

    return make if function is None else make(function)
