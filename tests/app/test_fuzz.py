"""Whatever is sent, it is obeyed or refused with a sentence: nothing ends in a 500, and the engine lives on."""

import asyncio
import os
import random
from collections.abc import Callable, Sequence

import httpx
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.app.fuzz import Question, questions
from tests.app.harness import ADMIN_KEY, Engine, ledger_mistakes, running_engine, sentence_of, until

REQUESTS = int(os.environ.get("RUNFOLD_FUZZ_REQUESTS", "150"))
"""About how many are sent, the same number to each route that is asked."""
EACH_MIN = 10
"""To fewer would go the simplest requests alone, always the same. So where there are too few, some routes are asked."""
SEED = int(os.environ.get("RUNFOLD_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
"""Says which routes are asked, and what. It is printed; give it again to see the same."""
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
"""What making a request may be."""
KEEPS_A_PART = "POST /api/v3/batches/{batch}/items"
"""Items that came before one that is refused are kept."""
WITH_BYTES = [
    *("/api/v1/tasks/greet/trigger", "/api/v1/tasks/greet/batch", "/api/v1/runs/{run}/reschedule", "/worker/v1/turn"),
    *("/api/v1/waitpoints/tokens", "/api/v1/schedules", "/worker/v1/register", "/v1/jobs", "/v1/jobs/import"),
]
Names = dict[str, str]
"""What paths and bodies name: one of each thing there is."""


def test_any_request_is_obeyed_or_refused_as_the_document_says() -> None:
    """To every route that there is: schemathesis makes the requests from the document, and reads the answers by it."""

    def on_engine(runner: asyncio.Runner, engine: Engine, names: Names) -> None:
        strategies = questions(runner.run(engine.get("/openapi.json")), names)
        labels, each = _shared_out(sorted(strategies), REQUESTS, random.Random(SEED))
        for label in labels:
            _ask(runner, engine, label, strategies[label], each)

    print(f"RUNFOLD_FUZZ_SEED={SEED}")  # noqa: T201 (pytest shows it where the test fails)
    _with_an_engine(on_engine)


def _shared_out(labels: Sequence[str], requests: int, chance: random.Random) -> tuple[list[str], int]:
    """Which routes are asked, in any order, and how often each."""
    each = max(EACH_MIN, requests // len(labels))
    return chance.sample(labels, min(len(labels), max(1, requests // each))), each


@pytest.mark.parametrize(
    ("requests", "asked", "each"), [(150, 15, 10), (1_330, 133, 10), (50_000, 133, 375), (1, 1, 10)]
)
def test_routes_are_asked_often_enough_each_and_all_of_them_in_turn(requests: int, asked: int, each: int) -> None:
    labels = [f"route {number}" for number in range(133)]
    shared = [_shared_out(labels, requests, random.Random(number)) for number in range(100)]

    assert {(len(chosen), times) for chosen, times in shared} == {(asked, each)}
    assert all(len(set(chosen)) == asked for chosen, _ in shared)
    if requests >= 150:
        assert {label for chosen, _ in shared for label in chosen} == set(labels), "no route is left out for good"


def _ask(runner: asyncio.Runner, engine: Engine, label: str, strategy: st.SearchStrategy[Question], times: int) -> None:
    @seed(SEED)
    @settings(
        max_examples=times,
        deadline=None,
        database=None,
        suppress_health_check=SLOW,
    )
    @given(strategy)
    def check(question: Question) -> None:
        runner.run(_bulk_actions_done(engine))
        head = engine.head
        answer = runner.run(_sent(engine, question))
        _is_obeyed_or_refused(answer)
        question.check(answer)
        assert answer.is_success or engine.head == head or label == KEEPS_A_PART, "what is refused writes nothing"

    check()


async def _bulk_actions_done(engine: Engine) -> None:
    """What was asked for before, and goes on by itself, is no answer to what is asked next."""
    await until(lambda: not engine.service.loop.engine.memory.bulks)
    await engine.come_to_now()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/tasks/greet/trigger", '{"options": {"ttl": %s}}', 422),
        ("/worker/v1/turn", '{"session": "worker_1", "version": "20270115.1", "sequence": %s}', 400),
    ],
)
async def test_a_number_of_thousands_of_digits_is_refused(engine: Engine, path: str, body: str, status: int) -> None:
    await engine.refused("POST", path, status, content=body % ("9" * 4_000))


def test_any_bytes_are_obeyed_or_refused() -> None:
    def on_engine(runner: asyncio.Runner, engine: Engine, names: Names) -> None:
        @settings(max_examples=100, deadline=None)
        @given(st.sampled_from(WITH_BYTES), st.binary(max_size=40), st.integers(0, 60))
        def check(path: str, noise: bytes, at: int) -> None:
            valid = b'{"payload": {"name": "Ada"}, "items": [{}], "delay": "1h", "tasks": [{"id": "a"}]}'
            sent = valid[:at] + noise + valid[at + len(noise) :]
            _is_obeyed_or_refused(runner.run(engine.client.post(path.format(**names), content=sent)))

        check()

    _with_an_engine(on_engine)


def _is_obeyed_or_refused(answer: httpx.Response) -> None:
    assert answer.status_code in {200, 201, 202, 204, 400, 401, 403, 404, 411, 415, 422}, answer.text
    if not answer.is_success:
        more = ["code"] if "code" in answer.json() else []
        assert answer.json()["error"] == "queue-not-found" or sentence_of(answer, *more)


async def _sent(engine: Engine, question: Question) -> httpx.Response:
    case = question.case
    key = {"authorization": f"Bearer {ADMIN_KEY}"} if case.path.startswith("/api/v1/environments") else {}
    media_type = {"content-type": case.media_type} if case.media_type else {}
    path = case.formatted_path
    return await engine.client.request(
        case.method, path, params=question.query, content=question.body, headers=key | media_type
    )


def _with_an_engine(check: Callable[[asyncio.Runner, Engine, Names], None]) -> None:
    with asyncio.Runner() as runner:
        context = running_engine()
        engine = runner.run(context.__aenter__())
        try:
            names = runner.run(_things(engine))
            # Streams tell what there is and end.
            engine.service.watching.close()
            check(runner, engine, names)
            assert runner.run(engine.get("/readyz"))["status"] == "ok"
            assert runner.run(engine.listed())
            assert runner.run(ledger_mistakes(engine)) == []
        finally:
            runner.run(context.__aexit__(None, None, None))


async def _things(engine: Engine) -> Names:
    version = await engine.register()
    made = await engine.post("/api/v1/tasks/greet/batch", {"items": [{"options": {"tags": ["a"]}}]})
    names = {"task": "greet", "queue": "greet", "slug": "dev", "name": "a", "deployment": version}
    names |= {"run": await engine.trigger(), "batch": made["batchId"]}
    await engine.turn(version)
    names["token"] = (await engine.post("/api/v1/waitpoints/tokens", {}))["id"]
    names["schedule"] = (await engine.post("/api/v1/schedules", {"task": "greet", "every": 5}))["id"]
    asked = {"name": "a", "kind": "recurring", "schedule": {"every_n_minutes": 5}, "request": {"url": "http://a"}}
    names["job"] = (await engine.client.post("/v1/jobs", json=asked)).json()["id"]
    await engine.client.post("/v1/secrets", json={"name": "a", "value": "x"})
    return names
