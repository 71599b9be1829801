"""Steps: what they return and raise, in the first execution as in each that follows."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NoReturn

import msgspec
import pydantic
import pytest

from runfold import AbortTaskRunError, Context, Retry, RunfoldError, StepFailedError, step, step_key
from runfold import steps as module
from runfold.context import Cancellation
from runfold.durations import MAX_MS
from runfold.steps import Arguments, run_step
from runfold.tries import Tries
from runfold.worker.failures import describe
from runfold.worker.handed import Attempt, context_of
from runfold.worker.outcomes import Crashed, Failed, failed
from runfold.worker.redacting import redaction
from runfold.worker.wire import Environment, HandOut
from tests.sdk.journals import Code, Story

HAND_OUT = HandOut("run_1", 1, "order", 0, Environment("env_1", "dev", "DEVELOPMENT"), auth={"token": "hunter2secret"})


@dataclass
class Receipt:
    amount: int
    at: datetime


class Parcel(msgspec.Struct):
    to: tuple[str, ...]


class Letter(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    sent_at: datetime = pydantic.Field(alias="sentAt")


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def receipt() -> Receipt:
    return Receipt(5, NOON)


async def parcel() -> Parcel:
    return Parcel(("ann", "bob"))


def letter() -> Letter:
    return Letter(sentAt=NOON)


def moment() -> datetime:
    return NOON


def pair() -> tuple[int, set[str]]:
    return 1, {"a"}


class Shop:
    def receipt(self) -> Receipt:
        return receipt()


def context(story: Story) -> Context:
    made = context_of(Attempt(HAND_OUT, "1", 0), Cancellation(), story.journal)
    assert isinstance(made, Context)
    return made


def stepping(function: Callable[..., Any], *arguments: Any, retry: Retry | None = None) -> Code:
    async def code(story: Story) -> Any:
        return await context(story).step("it", function, *arguments, retry=retry)

    return code


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (receipt, Receipt(5, NOON)),
        (parcel, Parcel(("ann", "bob"))),
        (letter, Letter(sentAt=NOON)),
        (moment, NOON),
        (pair, (1, {"a"})),
        (Shop().receipt, Receipt(5, NOON)),
        (partial(receipt), Receipt(5, NOON)),
        (step(receipt), Receipt(5, NOON)),
        (lambda: Receipt(5, NOON), {"amount": 5, "at": "2030-01-01T12:00:00Z"}),
        (lambda: (1, 2), [1, 2]),
    ],
)
async def test_a_result_is_of_the_type_that_the_function_names_at_once_and_ever_after(
    function: Callable[..., Any], result: object
) -> None:
    story = Story()

    first = await story.play(stepping(function))

    assert first == result
    assert await story.play(stepping(function)) == result
    assert type(first) is type(result)


async def test_functions_that_are_made_alike_keep_their_own_types() -> None:
    def make(kind: Any) -> Callable[[], Any]:
        def made() -> Any:
            return {"amount": 5, "at": "2030-01-01T12:00:00Z"}

        made.__annotations__["return"] = kind
        return made

    assert await Story().play(stepping(make(Receipt))) == Receipt(5, NOON)
    assert await Story().play(stepping(make(dict))) == {"amount": 5, "at": "2030-01-01T12:00:00Z"}


async def failure_of(story: Story, code: Code) -> BaseException:
    with pytest.raises((StepFailedError, AbortTaskRunError)) as raised:
        await story.play(code)
    return raised.value


def unwritable() -> object:
    return object()


def misfit() -> int:
    return "one"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def large() -> str:
    return "x" * 30


def boom(message: str = "no such city") -> NoReturn:
    raise LookupError(message)


def leave() -> NoReturn:
    raise SystemExit(3)


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


async def give_up_inside() -> None:
    inner = asyncio.ensure_future(asyncio.Event().wait())
    inner.cancel()
    await inner


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (boom, "LookupError: no such city"),
        (
            unwritable,
            "InvalidResultError: The result cannot be written as JSON: objects of <class 'object'> have no JSON",
        ),
        (misfit, "InvalidResultError: The result of misfit does not fit its annotation: Expected `int`, got `str`"),
        (large, 'InvalidResultError: The result of "it" has 32 bytes of JSON; at most 20.'),
        (leave, "SystemExit: 3"),
        (interrupt, "KeyboardInterrupt: "),
        (give_up_inside, "CancelledError: "),
    ],
)
async def test_a_failure_is_told_the_same_way_ever_after(
    function: Callable[..., Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESULT_MAX_BYTES", 20)
    story = Story()

    first = await failure_of(story, stepping(function))

    assert str(first).startswith(f'The step "it" failed: {sentence}')
    assert str(await failure_of(story, stepping(function))) == str(first)
    assert [each.kind for each in story.entries] == ["failed"]


async def test_what_ends_the_run_ends_it_from_within_a_step_too_without_another_try() -> None:
    class OutOfStockError(AbortTaskRunError):
        pass

    def abort() -> None:
        raise OutOfStockError("no more of these")

    story = Story()
    code = stepping(abort, retry=Retry(max_attempts=5))

    first, again = await failure_of(story, code), await failure_of(story, code)

    assert (type(first), str(first)) == (type(again), str(again)) == (AbortTaskRunError, "no more of these")
    assert len(story.entries) == 1


async def test_without_memory_the_attempt_ends_whatever_the_code_does_about_it() -> None:
    def hoard() -> None:
        raise MemoryError

    async def code(story: Story) -> None:
        with pytest.raises(MemoryError):
            await context(story).step("hoard", hoard, retry=Retry(max_attempts=5))
        await story.step("go on")

    story = Story()
    with pytest.raises(MemoryError):
        await story.play(code)

    assert (story.ran, story.entries) == ([], [])
    assert isinstance(failed(story.journal.broken or ValueError(), HAND_OUT), Crashed)


async def test_a_step_is_tried_as_often_as_it_says_in_the_same_attempt() -> None:
    tries: list[str] = []

    def flaky() -> str:
        tries.append(step_key())
        if len(tries) < 4:
            raise OSError("busy")
        return "done"

    story = Story()
    code = stepping(flaky, retry=Retry(max_attempts=4, min_timeout_ms=100, max_timeout_ms=300))

    assert await story.play(code) == "done" == await story.play(code)
    assert story.pauses == [100, 200, 300]
    assert len(set(tries)) == 1, "a key for all of its tries"
    assert [(each.name, each.kind) for each in story.entries] == [*[("it", "tried")] * 3, ("it", "succeeded")]


async def test_the_last_failure_is_that_of_the_step() -> None:
    failures = iter(["first", "second"])

    def flaky() -> None:
        raise OSError(next(failures))

    story = Story()

    failure = await failure_of(story, stepping(flaky, retry=Retry(max_attempts=2)))

    assert str(failure) == 'The step "it" failed: OSError: second'


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        (Retry(max_attempts=3, randomize=False), [1.0, 2.0, None]),
        (Retry(max_attempts=3), [1.5, 3.0, None]),
        (Retry(max_attempts=3, max_timeout_ms=1_200), [1.2, 1.2, None]),
        (Retry(max_attempts=3, min_timeout_ms=0), [0.0, 0.0, None]),
        (None, [None, None, None]),
    ],
)
def test_the_waits_between_tries_are_those_of_the_engine(retry: Retry | None, waits: list[float | None]) -> None:
    tries = Tries(retry, lambda: 0.5)

    assert [tries.seconds(ValueError()) for _ in range(3)] == waits


def test_a_wait_that_no_number_holds_is_the_longest_there_is() -> None:
    tries = Tries(Retry(max_attempts=250, factor=1e10), lambda: 0.0)

    assert [tries.seconds(ValueError()) for _ in range(249)][-1] == 60.0
    endless = Retry(min_timeout_ms=10**20, max_timeout_ms=10**20)
    assert Tries(endless, lambda: 0.0).seconds(ValueError()) == MAX_MS / 1000


async def test_a_step_in_a_step_is_a_part_of_it() -> None:
    @step
    async def inner() -> str:
        return step_key()

    async def code(story: Story) -> Any:
        ctx = context(story)

        async def outer() -> list[str]:
            return [step_key(), await ctx.step("inner", inner), await inner(), await ctx.step("plain", lambda: "plain")]

        return await ctx.step("outer", outer)

    story = Story()

    key, *others = await story.play(code)

    assert others == [key, key, "plain"]
    assert [each.name for each in story.entries] == ["outer"]


async def test_a_decorated_function_is_a_step_in_a_run_and_a_function_elsewhere() -> None:
    calls: list[int] = []

    @step(name="double it", retry=Retry(max_attempts=2, min_timeout_ms=7))
    async def double(number: int) -> int:
        """Twice as much."""
        calls.append(number)
        if len(calls) == 2:
            raise OSError
        return 2 * number

    async def code(_: Story) -> int:
        return await double(number=4)

    story = Story()

    assert await double(3) == 6
    assert await story.play(code) == 8 == await story.play(code)
    assert (calls, story.pauses, [each.name for each in story.entries]) == ([3, 4, 4], [7], ["double it"] * 2)
    assert (double.__name__, double.__doc__) == ("double", "Twice as much.")


async def test_a_decorated_method_is_called_with_its_instance() -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @step
        async def pack(self, item: str) -> str:
            return f"{item} of {self.name}"

    async def code(_: Story) -> str:
        return await Shop("Ada").pack("pen")

    story = Story()

    assert await Shop("Bob").pack("ink") == "ink of Bob"
    assert await story.play(code) == "pen of Ada" == await story.play(code)
    assert [each.name for each in story.entries] == ["pack"]


async def test_a_decorated_function_that_is_not_async_says_how_an_async_task_calls_it() -> None:
    @step
    def double(number: int) -> int:
        return 2 * number

    async def code(story: Story) -> Any:
        with pytest.raises(RunfoldError, match=r"`await ctx\.step\('double', \.\.\.\)` calls it"):
            double(4)
        return await context(story).step("double", double, 4)

    assert await Story().play(code) == 8
    assert double(3) == 6


def test_outside_of_steps_there_is_no_key() -> None:
    with pytest.raises(RunfoldError, match="only the body of a step has a key"):
        step_key()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "has 1 to 256 characters"),
        ("x" * 257, "has 1 to 256 characters"),
        ("caf\udce9", r"cannot hold half of a surrogate pair: 'caf\\udce9'\."),
        (b"charge", "is a text, not bytes"),
    ],
)
async def test_a_name_that_the_engine_would_refuse_is_refused_at_once(name: Any, sentence: str) -> None:
    async def code(story: Story) -> None:
        with pytest.raises((ValueError, TypeError), match=sentence):
            await story.step(name)

    await Story().play(code)


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [({"x": 1, "y": 2}, {"y": 2, "x": 1}, {"x": 1, "y": 3}), ({8, 0, 16}, {16, 8, 0}, {16, 8}), ([1], (1,), [[1]])],
)
def test_arguments_are_told_apart_by_what_they_are_not_by_how_they_are_stored(
    one: object, same: object, other: object
) -> None:
    assert Arguments((one,), {}).digest() == Arguments((same,), {}).digest() != Arguments((other,), {}).digest()


def test_arguments_that_cannot_be_written_are_not_told_apart() -> None:
    class Odd:
        def __getattr__(self, name: str) -> NoReturn:
            raise ValueError(name)

    assert [Arguments((each,), {}).digest() for each in (object(), Odd())] == [None, None]


async def test_secrets_are_in_no_error_of_a_step() -> None:
    async def code(story: Story) -> Any:
        story.journal.describe = partial(describe, redact=redaction(HAND_OUT))
        return await context(story).step("it", boom, "bad token hunter2secret")

    story = Story()

    failure = await failure_of(story, code)

    assert str(failure) == 'The step "it" failed: LookupError: bad token [redacted]'
    assert isinstance(failure, StepFailedError)
    assert "hunter2secret" not in str(failure.error)


async def test_secrets_are_in_no_error_of_a_try() -> None:
    story = Story()

    async def code(story: Story) -> Any:
        story.journal.describe = partial(describe, redact=redaction(HAND_OUT))
        retry = Retry(max_attempts=2)
        return await context(story).step("it", boom, "bad token hunter2secret", retry=retry)

    await failure_of(story, code)

    tried = story.entries[0].error
    assert tried is not None
    assert (tried.message, "hunter2secret" in str(tried)) == ("bad token [redacted]", False)


async def test_an_attempt_that_fails_of_a_step_tells_of_the_steps_own_error() -> None:
    story = Story()

    outcome = failed(await failure_of(story, stepping(boom)), HAND_OUT)

    assert isinstance(outcome, Failed)
    assert (outcome.error.name, outcome.error.message, outcome.retryable) == ("LookupError", "no such city", True)
    trace = outcome.error.stack_trace or ""
    assert [line.rpartition(" ")[2] for line in trace.splitlines() if line.startswith("  File")] == ["boom"]


async def test_a_step_that_is_under_way_when_the_run_is_to_stop_is_not_told_to_have_failed() -> None:
    stop = asyncio.Event()

    async def under_way(story: Story) -> None:
        story.journal.stop(asyncio.CancelledError())
        stop.set()
        await asyncio.Event().wait()

    async def code(story: Story) -> None:
        doing = asyncio.create_task(run_step(story.journal, "it", under_way, Arguments((story,), {})))
        await stop.wait()
        doing.cancel()
        await asyncio.wait({doing})
        with pytest.raises(asyncio.CancelledError):
            await story.step("clean up")

    story = Story()
    await story.play(code)

    assert (story.entries, story.ran) == ([], []), "it is done when the run goes on elsewhere"


async def test_what_a_step_came_to_is_told_although_the_run_is_to_stop() -> None:
    async def code(story: Story) -> None:
        await run_step(story.journal, "it", story.journal.stop, Arguments((asyncio.CancelledError(),), {}))

    story = Story()
    await story.play(code)

    assert [(each.name, each.kind) for each in story.entries] == [("it", "succeeded")]


def test_the_digest_of_no_arguments_is_that_of_journals_of_before() -> None:
    assert Arguments((), {}).digest() == "5eed25f9aa1c6813"
