"""Whatever happened, everything that was answered at a moment is answered again when that moment is asked for."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count, product
from typing import Any, NamedTuple, TypeAlias

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import json

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from adapters.postgres.read_models import PostgresReadModels
from app.history import past
from app.web.paging import LAG_HEADER
from projections import lasting
from tests.app.calling import JOBS
from tests.app.harness import Engine, environment, running_engine
from tests.app.random_keeping import ALERTS, BULK, CONNECTIONS, ENVIRONMENTS, NAMES, SECRETS, WORKERS
from tests.app.random_life import BATCHES, COMMANDS, DEPLOYMENTS, EVENTS, EXECUTIONS, SCHEDULES, TOKENS, Life
from tests.postgres import database_url, schema_of_its_own

RUNS = "/api/v1/runs"
PAGE = {"page[size]": "3"}
NAMED = re.compile(r"(?<=/)\w+_[0-9a-f]{8,}|(?<=/)event-\d+")
OF_A_RUN = ("events", "metadata", "result", "trace")
LASTS = re.compile(rb'"duration":\d+')
ASKED_AGAIN_EACH = 4
LISTS: tuple[tuple[str, dict[str, str]], ...] = (
    (RUNS, {}),
    (RUNS, {"filter[status]": "QUEUED,DELAYED"}),
    (RUNS, {"filter[status]": "COMPLETED,EXECUTING", "filter[taskIdentifier]": "greet,vip"}),
    (RUNS, {"filter[tag]": "a"}),
    (RUNS, {"filter[queue]": "vip", "filter[isTest]": "false"}),
    (RUNS, {"filter[machine]": "micro"}),
    (RUNS, {"filter[version]": "20270115.1"}),
    (TOKENS, {}),
    (TOKENS, {"filter[status]": "WAITING"}),
    (BATCHES, {}),
    (BATCHES, {"filter[status]": "PENDING,PROCESSING"}),
    (BATCHES, {"filter[status]": "COMPLETED"}),
    (EVENTS, {}),
    (EVENTS, {"filter[undelivered]": "true"}),
    (EVENTS, {"filter[name]": "paid", "filter[status]": "DELIVERED"}),
    (DEPLOYMENTS, {}),
    (BULK, {}),
)
GONE = (SCHEDULES, JOBS, ALERTS, SECRETS, CONNECTIONS, "/api/v1/projects/")
"""Where what is gone has a sentence of its own."""
KEPT = (ALERTS, SECRETS, CONNECTIONS, ENVIRONMENTS)
"""Lists that have no pages."""
EXECUTED: tuple[dict[str, str], ...] = (
    {},
    {"status": "running", "order": "asc"},
    {"status": "failed", "sort": "created_at"},
    {"sort": "created_at", "order": "asc", "job_name": "ping"},
    {"job_name": "pong"},
)
"""Queries of the list of executions."""


TOLD = frozenset({"status", "active", "every", "revision", "paused", "override", "concurrencyLimit"})
Facts: TypeAlias = dict[tuple[str, str], Any]
"""What is so, by whose it is and what it is called."""


class Answer(NamedTuple):
    """What was answered, byte for byte, when the ledger ended at a position and the clock said this."""

    path: str
    query: dict[str, str]
    position: int
    wall: int
    status: int
    content: bytes


async def _look(life: Life) -> list[Answer]:
    """Every page of every list, and every single thing there is."""
    engine, seen = life.engine, list[Answer]()

    async def ask(path: str, query: dict[str, str]) -> Any:
        seen.append(await _answered(engine, path, query))
        return json.decode(seen[-1].content)

    for path, query in LISTS:
        await _walk(ask, path, query | PAGE)
    for page in ("1", "2"):
        await ask("/api/v1/queues", {"page": page, "perPage": "2"})
        await ask(SCHEDULES, {"page": page, "perPage": "2"})
    await ask("/api/v1/concurrency", {})
    for queue in ("vip", "greet", "unknown"):
        await ask(f"/api/v1/queues/{queue}", {"type": "custom" if queue == "vip" else "task"})
    for query in EXECUTED:
        await _walk_executions(ask, EXECUTIONS, query)
    await ask(EXECUTIONS, {"limit": "2", "offset": "1"})
    for offset in ("0", "1"):
        await ask(JOBS, {"limit": "1", "offset": offset})
    for job in life.jobs:
        await ask(f"{JOBS}/{job}/executions", {"limit": "2"})
    for path in (*KEPT, life.keeping.variables, life.keeping.keys):
        await ask(path, {})
    await ask(WORKERS, {"perPage": "100"})
    for path in _single(life):
        await ask(path, {})
    return seen


async def _answered(engine: Engine, path: str, query: dict[str, str]) -> Answer:
    """What is answered while nothing is committed: that might be told of or not, as the runs of an event are."""
    while True:
        head = engine.head
        response = await engine.client.get(path, params=query)
        assert response.status_code in {200, 404}, response.text
        if engine.head == head and LAG_HEADER not in response.headers:
            return Answer(path, query, head, engine.clock.wall, response.status_code, response.content)


def _single(life: Life) -> Iterator[str]:
    """Every single thing that there is."""
    singles: tuple[tuple[Sequence[str], tuple[str, ...]], ...] = (
        (("current", "latest", life.version), (f"{DEPLOYMENTS}/",)),
        (life.schedules, (f"{SCHEDULES}/", f"{SCHEDULES}/{{}}/ticks")),
        (life.runs, ("/api/v3/runs/", "/api/v1/runs/{}/explain", "/api/v1/runs/{}/logs")),
        (life.runs[:2] + life.runs[-2:], tuple(f"{RUNS}/{{}}/{each}" for each in OF_A_RUN)),
        (life.batches, (f"{BATCHES}/", "/api/v2/batches/", f"{BATCHES}/{{}}/results")),
        (life.jobs, (f"{JOBS}/",)),
        (life.executions, (f"{EXECUTIONS}/",)),
        (life.tokens, (f"{TOKENS}/",)),
        (life.events, (f"{EVENTS}/",)),
        (life.keeping.channels, (f"{ALERTS}/",)),
        (life.keeping.bulks, (f"{BULK}/",)),
        (NAMES, (f"{SECRETS}/", f"{CONNECTIONS}/", f"{life.keeping.variables}/")),
    )
    for names, paths in singles:
        for name, path in product(names, paths):
            yield path.format(name) if "{}" in path else path + name


async def _walk(ask: Callable[[str, dict[str, str]], Awaitable[Any]], path: str, query: dict[str, str]) -> None:
    """To the end, and one page back."""
    page = await ask(path, query)
    while cursor := page["pagination"].get("next"):
        page = await ask(path, query | {"page[after]": cursor})
    if cursor := page["pagination"].get("previous"):
        await ask(path, query | {"page[before]": cursor})


async def _walk_executions(
    ask: Callable[[str, dict[str, str]], Awaitable[Any]], path: str, query: dict[str, str]
) -> None:
    page = await ask(path, query | {"limit": "2"})
    while cursor := page["pagination"]["next_cursor"]:
        page = await ask(path, query | {"limit": "2", "cursor": cursor})


async def _live(
    engine: Engine, slug: str, commands: list[Callable[[Life], Awaitable[None]]], chance: random.Random
) -> None:
    life = Life(engine, chance, slug)
    await life.begin()
    looks = [await _look(life)]
    for command in commands:
        # The time of an answer is not that of what came after it.
        await engine.advance(1)
        await command(life)
        looks.append(await _look(life))
    seen = [answer for look in looks for answer in look]
    await _ask_again(life, seen)
    await _look_between(life, seen[0].position)
    # Where a timer goes off between two answers, not everything was asked at one position.
    whole = sorted({look[0].position for look in looks if look[0].position == look[-1].position})
    await _compare(engine, seen, whole, chance)


async def _ask_again(life: Life, seen: list[Answer]) -> None:
    for answer in _some_of_each_kind(seen, life.chance):
        for as_of in (str(answer.position), str(answer.wall)):
            again = await life.engine.client.get(answer.path, params=answer.query | {"asOf": as_of})

            assert _is_as_it_was(again, answer, life.keeping.taken_back), (again.content, answer, as_of)


def _some_of_each_kind(seen: list[Answer], chance: random.Random) -> Iterator[Answer]:
    """Answers of each route and query, however many there are of others."""
    kinds: dict[tuple[str, ...], list[Answer]] = {}
    for answer in seen:
        kinds.setdefault((NAMED.sub("", answer.path), *sorted(answer.query)), []).append(answer)
    for answers in kinds.values():
        yield from chance.sample(answers, min(len(answers), ASKED_AGAIN_EACH))


async def _look_between(life: Life, first: int) -> None:
    """Between the events of a commit, too, where nobody was answered."""
    engine = life.engine
    for run in life.chance.sample(life.runs, min(len(life.runs), 10)):
        as_of = life.chance.randint(first, engine.head)
        there = [await engine.client.get(f"/api/v1/runs/{run}{what}?asOf={as_of}") for what in ("", "/explain")]

        assert there[0].status_code == there[1].status_code in {200, 404}, [each.text for each in there]


async def _compare(engine: Engine, seen: list[Answer], positions: list[int], chance: random.Random) -> None:
    """What is told to have changed between two of these moments is what differs between the answers of then."""
    for _ in range(3):
        first, last = sorted((chance.choice(positions), chance.choice(positions)))

        told = await _differences(engine, first, last, chance.randint(1, 20))

        before, after = _facts(seen, first).items(), _facts(seen, last).items()
        assert told == (dict(before - after), dict(after - before))


def _facts(seen: list[Answer], position: int) -> Facts:
    """Of what was answered at a position, the part that differences are told of."""
    facts: Facts = {}
    for answer in seen:
        if answer.position != position or answer.status != 200:
            continue
        said = json.decode(answer.content)
        match answer.path.split("/")[3:]:
            case ["runs"]:
                # Schedules make runs, too.
                facts |= {(run["id"], "status"): run["status"] for run in said["data"]}
            case ["schedules", schedule]:
                facts |= {(schedule, name): said.get(name) for name in ("active", "every", "revision")}
            case ["queues", "vip"]:
                facts |= {(said["id"], "paused"): said["paused"]}
                facts |= {(said["id"], "override"): said["concurrency"]["override"]}
            case ["concurrency"]:
                facts["environment", "concurrencyLimit"] = said["concurrencyLimit"]
            case _:
                pass
    return _that_there_are(facts)


async def _differences(engine: Engine, first: int, last: int, limit: int) -> tuple[Facts, Facts]:
    """What is no more, and what is new, from all pages; each aggregate is told of once."""
    before: Facts = {}
    after: Facts = {}
    seen: set[str] = set()
    at = 0
    while True:
        page = await engine.get("/api/v1/ledger/diff", **{"from": first, "to": last, "limit": limit, "after": at})
        for each in page["changes"]:
            assert each["id"] not in seen, "each is told of once"
            seen.add(each["id"])
            stream = "environment" if each["kind"] == "environment" else each["id"]
            for facts, said in ((before, each["before"]), (after, each["after"])):
                facts |= {(stream, name): said[name] for name in TOLD if said and name in said}
        if "next" not in page:
            return _that_there_are(before), _that_there_are(after)
        assert page["next"] > at
        at = page["next"]


def _that_there_are(facts: Facts) -> Facts:
    """Of a queue nobody said anything before its first event, which is as if it did not pause."""
    return {name: fact for name, fact in facts.items() if fact is not None and fact is not False}


def _is_as_it_was(again: httpx.Response, answer: Answer, taken_back: set[str]) -> bool:
    """Byte for byte; but what is gone has a sentence of its own.

    Which workers were connected is not told, nor which one a run waited for, nor values that were taken back since.
    """
    if answer.path.endswith("/explain") and answer.status == 200:
        before = json.decode(answer.content)
        if before["reason"] in {"turn", "no_worker"}:
            return bool(json.decode(again.content)["reason"] == "ready")
    if answer.status == 404 and answer.path.startswith(GONE):
        return again.status_code == 404
    if answer.status == 404 and answer.path.endswith("/result"):
        return again.status_code == 404
    if answer.path.endswith("/trace"):
        # A position has the time of its event, up to which less has lasted than until somebody asked.
        return LASTS.sub(b"", again.content) == LASTS.sub(b"", answer.content)
    if answer.path == WORKERS:
        return _holders(again.content) == _holders(answer.content)
    if "/envvars/" in answer.path and answer.status == again.status_code == 200:
        return _variables(again.content, taken_back) == _variables(answer.content, taken_back)
    return (again.status_code, again.content) == (answer.status, answer.content)


def _holders(content: bytes) -> list[dict[str, Any]]:
    """Which workers had runs, and what is told of these."""
    told = json.decode(content)["data"]
    return [{name: each[name] for name in ("id", "running", "waiting", "runs")} for each in told if each["runs"]]


def _variables(content: bytes, taken_back: set[str]) -> list[dict[str, Any]]:
    """One or many, without the values that are not told of the past."""
    told: Any = json.decode(content)
    many: list[dict[str, Any]] = told if content.startswith(b"[") else [told]
    return [each | ({"value": ""} if each["name"] in taken_back else {}) for each in many]


def _parts(database: str, stack: ExitStack) -> tuple[Any, ...]:
    if database == "sqlite":
        return ()
    schema = stack.enter_context(schema_of_its_own())
    migrate(database_url(), schema)
    return PostgresLedger(database_url(), schema), PostgresReadModels(database_url(), schema)


@pytest.mark.timeout(300)
def test_everything_is_as_it_was_answered_then(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that there are runs that last long.
    monkeypatch.setattr(lasting, "LASTING_MIN", 6)
    monkeypatch.setattr(past, "LASTING_MIN", 6)
    with ExitStack() as stack, asyncio.Runner() as runner:
        context = running_engine(*_parts(database, stack))
        engine = runner.run(context.__aenter__())
        numbers: Iterator[int] = count()

        # To look for a shorter life that fails, too, takes many times as long.
        @settings(max_examples=6, deadline=None, phases=[Phase.generate])
        @given(st.lists(st.sampled_from(COMMANDS), min_size=12, max_size=30), st.integers(0, 2**32))
        def check(commands: list[Callable[[Life], Awaitable[None]]], seed: int) -> None:
            slug = f"e{next(numbers)}"
            other = runner.run(environment(engine, slug))
            runner.run(_live(other, slug, commands, random.Random(seed)))

        try:
            check()
        finally:
            runner.run(context.__aexit__(None, None, None))
