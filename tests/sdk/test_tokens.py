"""Waitpoint tokens from Python: what is sent, what is read, and both against a real engine."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from runfold import NotFoundError, Token, TokenState, UnprocessableError, tokens, transport
from runfold.aio import tokens as aio
from runfold.config import Settings
from runfold.errors import InvalidPayloadError
from runfold.run import RunError
from runfold.transport import Transport
from tests.app.harness import KEY, START_MS, Engine, running_engine, transport_of
from tests.sdk.conftest import FakeApi

URL = "http://engine.test/api/v1/waitpoints/tokens/waitpoint_1/callback/5ec7e7"
MADE = {"id": "waitpoint/1", "url": URL, "isCached": True}
MOMENT = "2030-01-01T00:00:00.000Z"
WAITING = {"id": "waitpoint_1", "url": URL, "status": "WAITING", "tags": ["a"], "createdAt": MOMENT}
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
NOW = datetime.fromtimestamp(START_MS / 1000, UTC)


def sent(api: FakeApi) -> tuple[str, str, Any]:
    content = api.last.content
    return api.last.method, api.last.url.raw_path.decode(), json.loads(content) if content else None


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        ({}, {}),
        ({"timeout": "1h30m", "tags": "a"}, {"timeout": "5400s", "tags": "a"}),
        ({"timeout": timedelta(seconds=90), "tags": ["a", "b"]}, {"timeout": "90s", "tags": ["a", "b"]}),
        ({"timeout": NEW_YEAR}, {"timeout": MOMENT}),
        (
            {"idempotency_key": "k", "idempotency_key_ttl": 60},
            {"idempotencyKey": "k", "idempotencyKeyTTL": "60s"},
        ),
    ],
)
def test_a_token_is_made(api: FakeApi, asked: dict[str, Any], body: dict[str, Any]) -> None:
    api.answer(MADE)

    made = tokens.create_token(**asked)

    assert sent(api) == ("POST", "/api/v1/waitpoints/tokens", body)
    assert made == Token(id="waitpoint/1", url=URL, is_cached=True)


@pytest.mark.parametrize(
    ("token", "path"),
    [
        ("waitpoint/1", "waitpoint%2F1"),
        (Token(id="waitpoint_1", url=URL), "waitpoint_1"),
        (TokenState(id="waitpoint_1", url=URL, status="WAITING", created_at=NEW_YEAR), "waitpoint_1"),
    ],
)
def test_a_token_is_completed_by_id_or_by_what_a_call_answered(api: FakeApi, token: Any, path: str) -> None:
    api.answer({"success": True})
    calls: list[Any] = []
    for data in ((), (None,), ({"at": NEW_YEAR},)):
        tokens.complete_token(token, *data)
        calls.append(sent(api))

    complete = f"/api/v1/waitpoints/tokens/{path}/complete"
    assert calls == [
        ("POST", complete, {}),
        ("POST", complete, {"data": None}),
        ("POST", complete, {"data": {"at": "2030-01-01T00:00:00Z"}}),
    ]


def test_what_has_no_json_form_is_not_sent(api: FakeApi) -> None:
    with pytest.raises(InvalidPayloadError):
        tokens.complete_token("waitpoint_1", object())

    assert api.requests == []


TIMED_OUT = '{"code":"TRIGGER_WAITPOINT_TIMEOUT","message":"Waitpoint timed out at 2030."}'


@pytest.mark.parametrize(
    ("more", "output", "error"),
    [
        ({}, None, None),
        ({"status": "COMPLETED", "outputIsError": False}, None, None),
        ({"output": '{"approved":true}'}, {"approved": True}, None),
        ({"output": '{"json":1}', "outputType": "application/super+json"}, {"json": 1}, None),
        ({"output": '"said"', "outputType": "text/plain"}, '"said"', None),
        (
            {"status": "TIMED_OUT", "output": TIMED_OUT, "outputIsError": True},
            None,
            RunError(message="Waitpoint timed out at 2030.", name="TRIGGER_WAITPOINT_TIMEOUT"),
        ),
    ],
)
def test_a_token_is_read_with_its_output(
    api: FakeApi, more: dict[str, Any], output: Any, error: RunError | None
) -> None:
    dates = {"completedAt": MOMENT, "timeoutAt": MOMENT, "idempotencyKey": "k", "idempotencyKeyExpiresAt": MOMENT}
    api.answer(WAITING | dates | more)

    found = tokens.retrieve_token("waitpoint_1")

    assert sent(api) == ("GET", "/api/v1/waitpoints/tokens/waitpoint_1", None)
    assert found == TokenState(
        id="waitpoint_1",
        url=URL,
        status=more.get("status", "WAITING"),
        tags=("a",),
        created_at=NEW_YEAR,
        completed_at=NEW_YEAR,
        timeout_at=NEW_YEAR,
        idempotency_key="k",
        idempotency_key_expires_at=NEW_YEAR,
        output=output,
        output_type=more.get("outputType", "application/json"),
        error=error,
    )


def page(token: str, **pagination: str) -> dict[str, Any]:
    return {"data": [WAITING | {"id": token}], "pagination": pagination}


def test_a_list_has_the_tokens_of_all_pages(api: FakeApi) -> None:
    api.answer(page("t2", next="n1"), page("waitpoint_1"))
    found = tokens.list_tokens(
        status=["WAITING", "COMPLETED"],
        tag="a",
        idempotency_key="k,1",
        created_from=NEW_YEAR,
        created_to=NEW_YEAR,
        period="1h",
        limit=1,
    )

    assert [token.id for token in found] == ["t2", "waitpoint_1"]
    query = {
        "filter[status]": "WAITING,COMPLETED",
        "filter[tags]": "a",
        "filter[idempotencyKey]": "k,1",
        "filter[createdAt][from]": "1893456000000",
        "filter[createdAt][to]": "1893456000000",
        "filter[createdAt][period]": "3600s",
        "page[size]": "1",
    }
    assert [dict(request.url.params) for request in api.requests] == [query, query | {"page[after]": "n1"}]


def test_pages_lead_forward_and_back(api: FakeApi) -> None:
    api.answer(page("t2", next="n1"), page("t1", previous="p1"), page("t2"))
    first = tokens.list_tokens().page()
    second = first.next_page()
    assert second is not None
    back = second.previous_page()

    assert back is not None
    assert [[token.id for token in each.tokens] for each in (first, second, back)] == [["t2"], ["t1"], ["t2"]]
    assert (second.next_page(), first.previous_page()) == (None, None)


def test_a_filter_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(TypeError, match="No filter is called task; there are: status, tag, idempotency_key"):
        tokens.list_tokens(task="greet")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@pytest.fixture
async def real(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    async with running_engine() as engine:
        real = Transport(
            connect=lambda: httpx.AsyncClient(transport=transport_of(engine)),
            settings=lambda: Settings("http://engine", KEY),
        )
        monkeypatch.setattr(transport, "default", real)
        yield engine


async def test_a_token_of_a_real_engine_from_its_making_to_its_end(real: Engine) -> None:
    made = await aio.create_token(timeout="1h", tags=["order", "7"], idempotency_key="order 7")
    again = await aio.create_token(idempotency_key="order 7")
    waiting = await aio.retrieve_token(made)
    await aio.complete_token(made, {"approved": True})
    await aio.complete_token(made, "too late")
    completed = await aio.retrieve_token(made.id)

    assert again == Token(id=made.id, url=made.url, is_cached=True)
    assert waiting == TokenState(
        id=made.id,
        url=made.url,
        status="WAITING",
        tags=("7", "order"),
        created_at=NOW,
        timeout_at=NOW + timedelta(hours=1),
        idempotency_key="order 7",
        idempotency_key_expires_at=NOW + timedelta(days=30),
    )
    assert (completed.status, completed.output, completed.completed_at) == ("COMPLETED", {"approved": True}, NOW)


async def test_a_token_of_a_real_engine_that_times_out(real: Engine) -> None:
    made = await aio.create_token(timeout=NOW + timedelta(seconds=5))
    await real.advance(5_000)

    timed_out = await aio.retrieve_token(made)

    assert (timed_out.status, timed_out.output, timed_out.completed_at) == (
        "TIMED_OUT",
        None,
        NOW + timedelta(seconds=5),
    )
    assert timed_out.error == RunError(
        message="Waitpoint timed out at 2027-01-15T08:00:05.000Z", name="TRIGGER_WAITPOINT_TIMEOUT"
    )


@pytest.mark.usefixtures("real")
async def test_tokens_of_a_real_engine_are_listed() -> None:
    made = [await aio.create_token(tags=f"t{number % 2}") for number in range(5)]
    await aio.complete_token(made[4])

    pages = aio.list_tokens(limit=2)
    first = await pages.page()
    second = await first.next_page()
    assert second is not None
    back = await second.previous_page()

    assert [token.id async for token in pages] == [token.id for token in reversed(made)]
    assert [token.id async for token in aio.list_tokens(tag="t0", status="WAITING")] == [made[2].id, made[0].id]
    assert [token.id for token in second.tokens] == [made[2].id, made[1].id]
    assert back is not None
    assert back.tokens == first.tokens


@pytest.mark.usefixtures("real")
async def test_what_a_real_engine_refuses_is_an_error() -> None:
    with pytest.raises(NotFoundError, match=r"Waitpoint waitpoint_1 not found\."):
        await aio.complete_token("waitpoint_1")
    with pytest.raises(UnprocessableError, match="A token has at most 10 tags"):
        await aio.create_token(tags=list("abcdefghijk"))
