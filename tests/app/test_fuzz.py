"""Whatever is sent, it is obeyed or refused with a sentence: nothing ends in a 500, and the engine lives on."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from app.web import bodies, token_listing
from app.web.listing import KNOWN
from tests.app.harness import ADMIN_KEY, Engine, ledger_mistakes, running_engine, sentence_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WORDS = st.sampled_from(
    ["", "greet", "run_1", "writer", "worker_1", "20270115.1", "1h", "-1s", "2027-01-15", "0001-01-01", "9999-12-31",
     "9999-12-31T23:59:59-14:00", "7d", "started", "succeeded", "failed", "crashed", "released", "a,b", "%00", "٣h"]
)  # fmt: skip
NUMBERS = (
    st.integers(-(10**25), 10**25) | st.floats(allow_nan=False) | st.sampled_from([0, 1, -1, 2**31 - 1, 2**53, 2**63])
)
LEAVES = st.none() | st.booleans() | NUMBERS | WORDS | TEXT
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)


WILD_ONE_IN = 12


def _mostly(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """This, and now and then anything at all."""
    return st.integers(1, WILD_ONE_IN).flatmap(lambda draw: ANYTHING if draw == 1 else strategy)


def _like(struct: type[msgspec.Struct], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of this shape, with any values of the right types where the parts do not say otherwise."""
    shape = inspect.type_info(struct)
    assert isinstance(shape, inspect.StructType)
    fields = {field.encode_name: _mostly(parts.get(field.encode_name, _of(field.type))) for field in shape.fields}
    required = {field.encode_name for field in shape.fields if field.required} | parts.keys()
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


def _of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StrType():
            return WORDS | TEXT
        case inspect.IntType():
            return st.integers(-2, 300) | st.integers(-(10**25), 10**25)
        case inspect.FloatType():
            return st.floats(allow_nan=False) | st.integers(-5, 5)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.UnionType(types=types):
            return st.one_of(*map(_of, types))
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return st.lists(_of(item), max_size=3)
        case inspect.TupleType(item_types=items):
            return st.tuples(*map(_of, items))
        case inspect.StructType(cls=cls):
            return _like(cls)
        case _:
            return ANYTHING


TURN = _like(
    bodies.TurnBody,
    session=st.sampled_from(["worker_1", "worker_2"]),
    version=st.just("20270115.1"),
    sequence=st.integers(1, 30),
    received=st.integers(0, 5),
    want=st.integers(0, 3),
    waitMs=st.just(0),
    holds=st.none() | st.lists(st.tuples(WORDS, st.integers(0, 9)), max_size=3),
    reports=st.lists(
        _like(
            bodies.ReportBody, run=st.just("{run}") | WORDS, token=st.integers(0, 9), kind=WORDS, at=st.integers(0, 9)
        ),
        max_size=3,
    ),
)
TIMINGS: dict[str, st.SearchStrategy[Any]] = {
    "cron": st.lists(st.sampled_from(["*", "*/5", "0", "L", "5-7", "1#2", "JAN", "30"]), min_size=4, max_size=6).map(
        " ".join
    ),
    "every": st.integers(-1, 1_500),
    "at": WORDS | st.just("2030-01-01T00:00:00Z"),
}
ASKED = _like(
    bodies.RequestBody,
    url=st.sampled_from(["https://example.com", "http://[::1", "https://{{uuid}}", "secret://a", "http://a\ud800"])
    | TEXT,
    method=st.sampled_from(["GET", "POST", "get", "put"]),
    headers=st.dictionaries(st.sampled_from(["A", "a", "Host"]) | TEXT, TEXT | st.just("secret://a"), max_size=2),
    body=ANYTHING,
)
TIMED = _like(
    bodies.TimingBody, cron=TIMINGS["cron"], every_n_minutes=TIMINGS["every"], run_at=TIMINGS["at"], timezone=WORDS
)
OF_KINDS: list[tuple[st.SearchStrategy[Any], dict[str, st.SearchStrategy[Any]]]] = [
    (st.just("cron"), {"cron": TIMINGS["cron"]}),
    (st.just("recurring"), {"every_n_minutes": TIMINGS["every"]}),
    (st.just("scheduled"), {"run_at": TIMINGS["at"]}),
]
CRONTABS = st.lists(
    st.sampled_from(["* * * * *", "@daily", "curl", "wget", "-X", "'", "https://example.com", "\n", "#", "TZ=UTC", ">"])
    | TEXT
).map(" ".join)
REQUESTS: dict[str, st.SearchStrategy[Any]] = {
    "/v1/jobs": st.one_of(
        *(
            _like(bodies.CreateJobBody, name=TEXT, request=ASKED, schedule=st.fixed_dictionaries(timed), kind=kind)
            for kind, timed in OF_KINDS
        ),
        _like(bodies.CreateJobBody, name=TEXT, request=ASKED, schedule=st.none(), kind=st.just("one_time")),
    ),
    "/v1/jobs/{job}": _like(bodies.ChangeJobBody, request=ASKED, schedule=TIMED),
    "/v1/jobs/preview": _like(bodies.PreviewBody, schedule=TIMED),
    "/v1/jobs/import": _like(bodies.ImportBody, crontab=CRONTABS),
    "/v1/secrets/a": _like(bodies.SecretBody),
    "/api/v1/tasks/greet/trigger": _like(bodies.TriggerBody),
    "/api/v1/tasks/greet/batch": _like(bodies.BatchBody),
    "/api/v1/runs/{run}/replay": _like(bodies.ReplayBody),
    "/api/v1/runs/{run}/reschedule": _like(bodies.RescheduleBody),
    "/api/v1/waitpoints/tokens": _like(bodies.CreateTokenBody),
    "/api/v1/waitpoints/tokens/{token}/complete": _like(bodies.CompleteTokenBody),
    "/api/v1/idempotencyKeys/k/reset": _like(bodies.ResetKeyBody),
    "/api/v1/schedules": st.one_of(
        _like(bodies.ScheduleBody),
        *(_like(bodies.ScheduleBody, **{kind: given}) for kind, given in TIMINGS.items()),
    ),
    "/api/v1/schedules/{schedule}/backfill": _like(bodies.BackfillBody),
    "/api/v1/connections/github": _like(bodies.CredentialsBody),
    "/api/v1/environments": _like(bodies.CreateEnvironmentBody, slug=st.sampled_from(["a", "b", "dev", "A"]) | TEXT),
    "/worker/v1/register": _like(bodies.RegisterBody),
    "/worker/v1/turn": TURN,
}
BODIES = st.one_of(*(st.tuples(st.just(path), _mostly(body)) for path, body in REQUESTS.items()))
METHODS = {"/api/v1/connections/github": "PUT", "/v1/secrets/a": "PUT", "/v1/jobs/{job}": "PATCH"}
AS_ADMIN = {"/api/v1/environments": {"authorization": f"Bearer {ADMIN_KEY}"}}
FILTERS = st.dictionaries(st.sampled_from(sorted(KNOWN)) | TEXT, WORDS | TEXT, max_size=3)
OF_TOKENS = st.dictionaries(st.sampled_from(sorted(token_listing.KNOWN)) | TEXT, WORDS | TEXT, max_size=3)
OF_EXECUTIONS = ("status", "from", "to", "job_name", "sort", "order", "limit", "offset", "cursor", "state")
QUERIES = st.one_of(
    st.tuples(st.just("/api/v1/runs"), FILTERS),
    st.tuples(st.just("/api/v1/waitpoints/tokens"), OF_TOKENS),
    st.tuples(st.just("/api/v3/runs/{run}"), st.fixed_dictionaries({"asOf": WORDS | TEXT | NUMBERS})),
    st.tuples(
        st.just("/api/v1/deployments"),
        st.dictionaries(
            st.sampled_from(["status", "period", "from", "to", "page[size]", "page[after]"]),
            NUMBERS | WORDS | TEXT,
            max_size=3,
        ),
    ),
    st.tuples(
        st.just("/api/v1/schedules/{schedule}/ticks"),
        st.dictionaries(st.sampled_from(["from", "to"]), NUMBERS | WORDS | TEXT, max_size=2),
    ),
    st.tuples(
        st.sampled_from(["/v1/executions", "/v1/jobs/{job}/executions", "/v1/jobs"]),
        st.dictionaries(
            st.sampled_from(OF_EXECUTIONS),
            NUMBERS | WORDS | TEXT | st.sampled_from(["queued", "asc", "created_at", "WzEsImEiXQ", "WzksIvCfmIAiXQ"]),
            max_size=3,
        ),
    ),
    st.tuples(
        st.just("/api/v1/ledger/events"),
        st.dictionaries(st.sampled_from(["after", "limit"]), NUMBERS | WORDS, max_size=2),
    ),
)  # fmt: skip


Names = dict[str, str]
"""What paths and bodies name: a run, a token and a schedule that there are."""


def _is_obeyed_or_refused(response: httpx.Response) -> None:
    assert response.status_code in {200, 201, 400, 404, 422}, response.text
    if response.is_success:
        response.json()
    else:
        more = ["code"] if "code" in response.json() else []
        assert sentence_of(response, *more)


def _send(runner: asyncio.Runner, engine: Engine, path: str, names: Names, sent: bytes) -> httpx.Response:
    method, headers = METHODS.get(path, "POST"), AS_ADMIN.get(path, {})
    return runner.run(engine.client.request(method, path.format(**names), content=sent, headers=headers))


def _with_an_engine(check: Callable[[asyncio.Runner, Engine, Names], None]) -> None:
    with asyncio.Runner() as runner:
        context = running_engine()
        engine = runner.run(context.__aenter__())
        try:
            version = runner.run(engine.register())
            run = runner.run(engine.trigger())
            runner.run(engine.turn(version))
            token = runner.run(engine.post("/api/v1/waitpoints/tokens", {}))["id"]
            schedule = runner.run(engine.post("/api/v1/schedules", {"task": "greet", "every": 5}))["id"]
            asked = {
                "name": "a",
                "kind": "recurring",
                "schedule": {"every_n_minutes": 5},
                "request": {"url": "http://a"},
            }
            job = runner.run(engine.client.post("/v1/jobs", json=asked)).json()["id"]
            check(runner, engine, {"run": run, "token": token, "schedule": schedule, "job": job})
            assert runner.run(engine.get("/readyz"))["status"] == "ok"
            assert runner.run(engine.listed())
            assert runner.run(ledger_mistakes(engine)) == []
        finally:
            runner.run(context.__aexit__(None, None, None))


def test_any_body_is_obeyed_or_refused() -> None:
    def on_engine(runner: asyncio.Runner, engine: Engine, names: Names) -> None:
        @settings(max_examples=250, deadline=None)
        @given(BODIES)
        @example(("/api/v1/tasks/greet/trigger", {"options": {"ttl": 10**4_000}}))
        @example(("/worker/v1/turn", {"session": "worker_1", "version": "20270115.1", "sequence": 10**4_000}))
        def check(request: tuple[str, Any]) -> None:
            path, body = request
            sent = json.dumps(body).replace("Infinity", "1e999").replace("{run}", names["run"]).encode()
            _is_obeyed_or_refused(_send(runner, engine, path, names, sent))

        check()

    _with_an_engine(on_engine)


def test_any_query_is_obeyed_or_refused() -> None:
    def on_engine(runner: asyncio.Runner, engine: Engine, names: Names) -> None:
        @settings(max_examples=150, deadline=None)
        @given(QUERIES)
        def check(request: tuple[str, dict[str, Any]]) -> None:
            path, query = request
            _is_obeyed_or_refused(runner.run(engine.client.get(path.format(**names), params=query)))

        check()

    _with_an_engine(on_engine)


def test_any_bytes_are_obeyed_or_refused() -> None:
    def on_engine(runner: asyncio.Runner, engine: Engine, names: Names) -> None:
        @settings(max_examples=100, deadline=None)
        @given(st.sampled_from(sorted(REQUESTS)), st.binary(max_size=40), st.integers(0, 60))
        def check(path: str, noise: bytes, at: int) -> None:
            valid = b'{"payload": {"name": "Ada"}, "items": [{}], "delay": "1h", "tasks": [{"id": "a"}]}'
            sent = valid[:at] + noise + valid[at + len(noise) :]
            _is_obeyed_or_refused(_send(runner, engine, path, names, sent))

        check()

    _with_an_engine(on_engine)
