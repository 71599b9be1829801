"""Steps: parts of a task that are done once, however often the task's code is run again."""

import asyncio
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import update_wrapper
from types import CodeType
from typing import Any, Generic, Never, NoReturn, ParamSpec, TypeVar, cast, get_type_hints, overload
from weakref import WeakKeyDictionary

import msgspec

from runfold import current
from runfold.blocking import blocking
from runfold.codec import Codec, encode_result
from runfold.digests import digest_of
from runfold.errors import AbortTaskRunError, InvalidResultError, RunfoldError, StepFailedError
from runfold.journal import Call, Journal
from runfold.policies import Retry
from runfold.run import RunError

P = ParamSpec("P")
R = TypeVar("R")

RESULT_MAX_BYTES = 10_485_760
_ONCE = Retry(max_attempts=1)


async def run_step(
    journal: Journal, name: str, function: Callable[..., Any], arguments: "Arguments", retry: Retry | None = None
) -> Any:
    """What the step returned when it was first done; it is done now if it was not."""
    call = journal.begin(name, "step", arguments.digest())
    if call.known is not None:
        return _first(call, function)
    tries = _Tries(retry)
    journal.begin_work()
    try:
        while True:
            failure: Exception | None = None
            token = current.step.set(current.StepKey(journal, call.name, call.number))
            try:
                result = function(*arguments.args, **arguments.kwargs)
                if inspect.isawaitable(result):
                    result = await result
            except Exception as error:
                if isinstance(error, MemoryError) or error is journal.broken:
                    raise
                failure = error
            finally:
                current.step.reset(token)
            if failure is None:
                try:
                    return await _succeed(journal, call, function, result)
                except InvalidResultError as error:
                    failure = error
            await _again_or_fail(journal, call, tries, failure)
    finally:
        journal.end_work()


def run_step_sync(
    journal: Journal, name: str, function: Callable[..., Any], arguments: "Arguments", retry: Retry | None = None
) -> Any:
    """The same for code that cannot await: the body runs in the thread of the caller."""

    async def begin() -> Call:
        call = journal.begin(name, "step", arguments.digest())
        if call.known is None:
            journal.begin_work()
        return call

    async def end() -> None:
        journal.end_work()

    call = blocking(begin)()
    if call.known is not None:
        return _first(call, function)
    try:
        tries = _Tries(retry)
        while True:
            try:
                with _inside(journal, call):
                    result = function(*arguments.args, **arguments.kwargs)
                return blocking(_succeed)(journal, call, function, result)
            except Exception as error:
                if isinstance(error, MemoryError) or error is journal.broken:
                    raise
                blocking(_again_or_fail)(journal, call, tries, error)
    finally:
        blocking(end)()


class Arguments:
    """What a step is called with."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs

    def digest(self) -> str | None:
        """Tells them from others, None where they cannot be written."""
        try:
            return digest_of(encode_result([self.args, self.kwargs]))
        except InvalidResultError:
            return None


class _Tries:
    """How often a step was tried, and how long to wait before the next time."""

    def __init__(self, retry: Retry | None) -> None:
        self._retry = retry or _ONCE
        self._failures = 0

    def seconds(self, error: Exception) -> float | None:
        """None when it is not tried again."""
        self._failures += 1
        retry = self._retry
        if isinstance(error, AbortTaskRunError | InvalidResultError) or self._failures >= retry.max_attempts:
            return None
        return min(retry.max_timeout_ms, retry.min_timeout_ms * retry.factor ** (self._failures - 1)) / 1000


async def _again_or_fail(journal: Journal, call: Call, tries: _Tries, error: Exception) -> None:
    """Wait for the next try. Raises StepFailedError, once that is in the journal, when there is none."""
    seconds = tries.seconds(error)
    if seconds is not None:
        await asyncio.sleep(seconds)
        journal.check()
        return
    told = journal.describe(error)
    await journal.record(call, "step_failed", error=told)
    if isinstance(error, AbortTaskRunError):
        raise error
    raise StepFailedError(call.name, _as_error(told)) from error


async def _succeed(journal: Journal, call: Call, function: Callable[..., Any], result: Any) -> Any:
    content = encode_result(result)
    size = memoryview(content).nbytes
    if size > RESULT_MAX_BYTES:
        raise InvalidResultError(f'The result of "{call.name}" has {size} bytes of JSON; at most {RESULT_MAX_BYTES}.')
    value = _read(function, content)
    await journal.record(call, "step_succeeded", output=content)
    # As a resumed run would have it, so that it makes no difference which of the two goes on.
    return value


def _first(call: Call, function: Callable[..., Any]) -> Any:
    known = call.known
    assert known is not None, "asked for only then"
    if known.kind == "succeeded":
        return _read(function, known.result)
    error = known.error or RunError(message="It is not known why.")
    if error.name == AbortTaskRunError.__name__:
        raise AbortTaskRunError(error.message)
    raise StepFailedError(call.name, error)


def _as_error(told: Any) -> RunError:
    return RunError(message=told.message, name=told.name, stack_trace=told.stack_trace)


def _read(function: Callable[..., Any], content: msgspec.Raw) -> Any:
    try:
        return _codec_of(function).decode(content)
    except Exception as error:  # types of users may run any code of theirs here
        raise InvalidResultError(f"The result of {_name_of(function)} does not fit its annotation: {error}") from error


_codecs: WeakKeyDictionary[CodeType, Codec[Any]] = WeakKeyDictionary()
_PLAIN: Codec[Any] = Codec(Any)


def _codec_of(function: Callable[..., Any]) -> Codec[Any]:
    """By its code: a function that is made anew in each run has the same one."""
    target = inspect.unwrap(function)
    code = getattr(target, "__code__", None)
    if code is None:
        return _PLAIN
    codec = _codecs.get(code)
    if codec is None:
        codec = _codecs[code] = _codec_by_hints(target)
    return codec


def _codec_by_hints(function: Callable[..., Any]) -> Codec[Any]:
    try:
        result = get_type_hints(function, include_extras=True).get("return", Any)
    except (NameError, TypeError):
        # An annotation that names what is not there tells nothing.
        return _PLAIN
    return Codec(Any if result in (NoReturn, Never) else result)


def _name_of(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


@contextmanager
def _inside(journal: Journal, call: Call) -> Generator[None]:
    token = current.step.set(current.StepKey(journal, call.name, call.number))
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

    def __init__(self, function: Callable[P, R], name: str | None = None, retry: Retry | None = None) -> None:
        self._function = function
        self._name = name or _name_of(function)
        self._retry = retry
        self._is_async = inspect.iscoroutinefunction(function)
        update_wrapper(self, function)

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
    if function is None:
        return lambda decorated: Step(decorated, name, retry)
    return Step(function)
