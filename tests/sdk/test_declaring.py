"""What `@task` takes, refuses and makes."""

import functools
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from runfold import Context, Debounce, Queue, RateLimit, Retry, Schedule, Task, declaring, task
from runfold.policies import Declaration


def test_a_bare_task_is_named_after_its_function() -> None:
    @task
    def send(payload: str) -> str:
        """Send it."""
        return payload

    assert isinstance(send, Task)
    assert (send.id, send.__doc__) == ("send", "Send it.")
    assert send.declaration == Declaration("send")


def whoever(ctx: Context) -> str:
    return ctx.run.id


def test_a_task_says_how_it_is_to_be_run() -> None:
    retry = Retry(max_attempts=5, factor=3, min_timeout_ms=10, max_timeout_ms=20, randomize=False)

    @task(
        id="send-email",
        retry=retry,
        queue=Queue("emails", concurrency_limit=10),
        max_duration=timedelta(minutes=5),
        ttl="1d12h",
        retry_on_crash=True,
        machine="large-1x",
        auth=whoever,
        connections=["github", "slack", "github"],
    )
    def send() -> None: ...

    assert send.declaration == Declaration(
        "send-email",
        Queue("emails", 10),
        retry,
        ttl=129_600_000,
        max_duration=300_000,
        retry_on_crash=True,
        machine="large-1x",
        auth_resolver=True,
        connections=("github", "slack"),
    )


def test_a_queue_can_be_named_by_a_word() -> None:
    @task(queue="emails")
    def send() -> None: ...

    assert send.declaration.queue == Queue("emails")


def test_a_retry_has_the_engines_defaults() -> None:
    assert Retry() == Retry(max_attempts=3, factor=2, min_timeout_ms=1000, max_timeout_ms=60_000, randomize=True)


async def test_a_task_is_still_its_function() -> None:
    @task(id="called-a")
    async def double(number: int) -> int:
        return 2 * number

    @task(id="called-b")
    def add(number: int, other: Any) -> int:
        return number + int(other)

    assert await double(4) == 8
    assert add(4, other=3) == 7


def test_two_tasks_of_one_scope_have_two_ids() -> None:
    @task(id="twice")
    def one() -> None: ...

    with pytest.raises(ValueError, match=r"Two tasks are called 'twice'.*one.*other"):

        @task(id="twice")
        def other() -> None: ...


def test_a_function_that_is_defined_again_replaces_itself() -> None:
    def define() -> Task[Any, Any]:
        @task(id="again")
        def again() -> None: ...

        return again

    define()
    second = define()

    assert [each for each in declaring.tasks_made() if each.id == "again"] == [second]


class Callable:
    def __call__(self) -> None: ...


def generator() -> Any:
    yield 1


def three(_a: int, _b: Context, _c: int) -> None: ...


def of_payload(_order: dict[str, Any]) -> None: ...


def keyword(*, needed: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (3, "@task decorates functions, not 3"),
        (Callable(), "@task decorates functions, not <"),
        (Callable, "@task decorates functions, not <class"),
        (functools.partial(three, 1), r"@task decorates functions, not functools\.partial"),
        (generator, "generator is a generator; a task returns its result"),
        (three, "three needs _a, _b, _c; a task is called with a payload and a context only"),
        (keyword, "keyword needs needed; a task is called with a payload and a context only"),
    ],
)
def test_only_functions_that_a_worker_can_call_are_tasks(function: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        task(function)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_duration": "5 minutes"}, "max_duration of the task 'send': '5 minutes' is no duration"),
        ({"max_duration": 0}, "max_duration of the task 'send' is 0: a limit must be longer than nothing"),
        ({"ttl": -1}, "ttl of the task 'send': -1 is no duration"),
        ({"ttl": True}, "ttl of the task 'send': True is no duration"),
        ({"id": ""}, "'' is no task id"),
        ({"id": "a,b"}, "'a,b' is no task id"),
        ({"id": 3}, "3 is no task id"),
        ({"queue": ""}, "A queue needs a name"),
        ({"machine": "huge"}, "'huge' is no machine; there are: micro, small-1x, small-2x, medium-1x, "),
        ({"auth": 3}, r"auth is a function of \(payload, ctx\) or of \(ctx\), not 3"),
        ({"auth": three}, r"three has 3 parameters; auth is a function of \(payload, ctx\)"),
        ({"auth": of_payload}, r"_order of of_payload would be the context; to get the payload, auth is a function"),
        ({"connections": ["github", ""]}, "connections of the task 'send' are names such as 'github', not"),
        ({"connections": [3]}, "connections of the task 'send' are names such as 'github', not"),
        ({"retries": 3}, "No task option is called retries; there are: id, retry, queue, max_duration, "),
        ({"retry": 3}, r"retry of the task 'send' is 3: write Retry\(max_attempts=3\)\."),
        ({"retry": {"max_attempts": 3}}, r"retry of the task 'send' is {'max_attempts': 3}: write Retry\(\.\.\.\)\."),
        ({"queue": 3}, r"queue of the task 'send' is 3: write a name, or Queue\(name, \.\.\.\)\."),
    ],
)
def test_a_wrong_option_is_refused_at_the_decorator(options: Any, sentence: str) -> None:
    def send() -> None: ...

    with pytest.raises((TypeError, ValueError), match=sentence):
        task(**options)(send)


@pytest.mark.parametrize("annotation", [Context, "Context", "runfold.Context", Any, "Any", object, Context | None])
def test_an_auth_resolver_of_one_parameter_may_take_the_context(annotation: Any) -> None:
    def whoever(ctx: Any) -> str:
        return str(ctx)

    whoever.__annotations__["ctx"] = annotation

    @task(auth=whoever)
    def send() -> None: ...

    assert send.id == "send"


def test_policies_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="max_attempts is 1 to 250"):
        Retry(max_attempts=0)
    with pytest.raises(ValueError, match="factor at least 1"):
        Retry(factor=0.5)
    with pytest.raises(ValueError, match="min_timeout_ms at most max_timeout_ms"):
        Retry(min_timeout_ms=2, max_timeout_ms=1)
    with pytest.raises(ValueError, match="The limit of the queue 'emails' is 0 to 100000, not -1"):
        Queue("emails", -1)
    with pytest.raises(ValueError, match="'huge' is no machine"):
        Retry(out_of_memory_machine="huge")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="the limit is at least 1, the period longer than nothing"):
        RateLimit(0, "1m")
    with pytest.raises(ValueError, match="the limit is at least 1, the period longer than nothing"):
        RateLimit(1, 0)
    with pytest.raises(ValueError, match="it needs a key, a delay longer than nothing"):
        Debounce("", "1s")
    with pytest.raises(ValueError, match="max_delay is at least the delay"):
        Debounce("k", "1m", max_delay="1s")


@pytest.mark.parametrize(
    ("policy", "given", "sentence"),
    [
        (Retry, {"attempts": 3}, "No option of Retry is called attempts; there are: max_attempts, factor, "),
        (Queue, {"name": "x", "limit": 3}, "of Queue is called limit; there are: name, concurrency_limit, rate_limit."),
        (Schedule, {"crom": "* * * * *"}, "No option of Schedule is called crom; there are: cron, timezone, "),
    ],
)
def test_a_policy_says_which_options_there_are(policy: Any, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        policy(**given)


def first_is_context(ctx: Context) -> None: ...


def second_is_not(payload: int, retries: int = 3) -> None: ...


def unreadable(payload: "dict[str, int] | Letter | Note") -> None: ...


def test_a_task_may_never_return() -> None:
    @task(id="endless")
    def endless() -> NoReturn:
        raise LookupError

    assert endless.body.types.result(b"null") is None


class Letter:
    pass


class Note:
    pass


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (first_is_context, "The first parameter of first_is_context is its payload; the context comes second"),
        (second_is_not, "The second parameter of second_is_not is its SyncContext, not <class 'int'>"),
        (unreadable, "A type of unreadable cannot be read from JSON"),
    ],
)
def test_annotations_that_cannot_be_served_are_refused_when_first_needed(function: Any, sentence: str) -> None:
    made: Task[Any, Any] = task(function)

    with pytest.raises(TypeError, match=sentence):
        made.trigger(1)
