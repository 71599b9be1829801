"""Lists of waitpoint tokens: what filters leave, page by page, with names that are data."""

from typing import Any

import pytest

from tests.app.harness import START_MS, Engine, environment
from tests.app.test_names import KEYS, PAIRS, WILD

TOKENS = "/api/v1/waitpoints/tokens"


async def create(engine: Engine, **asked: Any) -> str:
    return str((await engine.post(TOKENS, asked))["id"])


async def listed(engine: Engine, **parameters: Any) -> list[str]:
    return [token["id"] for token in (await engine.get(TOKENS, **parameters))["data"]]


async def test_filters_leave_what_they_name(engine: Engine) -> None:
    waiting = await create(engine, tags=["a", "b"], idempotencyKey="k,1")
    completed = await create(engine, tags="b")
    await engine.post(f"{TOKENS}/{completed}/complete", {"data": 1})
    await engine.advance(60_000)
    timed_out = await create(engine, timeout="0s", tags="c")
    await create(await environment(engine, "stg"), tags="a")

    queries: dict[str, dict[str, Any]] = {
        "all": {},
        "waiting": {"filter[status]": "WAITING"},
        "over": {"filter[status]": "TIMED_OUT,COMPLETED,COMPLETED"},
        "b or c": {"filter[tags]": "b,c"},
        "b and over": {"filter[tags]": "b", "filter[status]": "COMPLETED"},
        "key": {"filter[idempotencyKey]": "k,1"},
        "key and tag": {"filter[idempotencyKey]": "k,1", "filter[tags]": "b,c"},
        "key and other tag": {"filter[idempotencyKey]": "k,1", "filter[tags]": "c"},
        "other key": {"filter[idempotencyKey]": "k"},
        "from": {"filter[createdAt][from]": START_MS + 1},
        "to": {"filter[createdAt][to]": "2027-01-15T08:00:00Z", "filter[idempotencyKey]": ""},
        "period": {"filter[createdAt][period]": "59s"},
        "nothing": {"filter[status]": "", "filter[tags]": "none"},
    }
    found = {name: await listed(engine, **query) for name, query in queries.items()}

    assert found == {
        "all": [timed_out, completed, waiting],
        "waiting": [waiting],
        "over": [timed_out, completed],
        "b or c": [timed_out, completed, waiting],
        "b and over": [completed],
        "key": [waiting],
        "key and tag": [waiting],
        "key and other tag": [],
        "other key": [],
        "from": [timed_out],
        "to": [completed, waiting],
        "period": [timed_out],
        "nothing": [],
    }


@pytest.mark.parametrize("query", [{}, {"filter[status]": "WAITING"}, {"filter[tags]": "t"}], ids=str)
async def test_a_list_is_walked_forwards_and_back_again(engine: Engine, query: dict[str, str]) -> None:
    tokens = [await create(engine, tags="t") for _ in range(7)][::-1]
    query |= {"page[size]": "3"}

    pages = [await engine.get(TOKENS, **query)]
    while cursor := pages[-1]["pagination"].get("next"):
        pages.append(await engine.get(TOKENS, **query, **{"page[after]": cursor}))
    forwards, back = pages[0]["pagination"]["next"], [pages[-1]]
    while cursor := back[-1]["pagination"].get("previous"):
        back.append(await engine.get(TOKENS, **query, **{"page[before]": cursor, "page[after]": forwards}))

    ids = [[token["id"] for token in page["data"]] for page in pages]
    assert ids == [tokens[:3], tokens[3:6], tokens[6:]]
    assert [[token["id"] for token in page["data"]] for page in back] == ids[::-1]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("filter[status]=DONE", "There is no status 'DONE' of a token; there are WAITING, COMPLETED, TIMED_OUT."),
        ("filter[status]=waiting", "There is no status 'waiting' of a token; there are WAITING, COMPLETED, TIMED_OUT."),
        ("page[size]=0", "page[size] is 1 to 100, not '0'."),
        ("page[size]=101", "page[size] is 1 to 100, not '101'."),
        ("page[after]=cnVuXzE", "This cursor was not given out by a list."),
        ("filter[createdAt][from]=x", '"x" is neither a duration like "1h30m" nor an ISO 8601 date.'),
        ("filter[createdAt][period]=x", '"x" is not a duration; write one like "30s", "10m" or "1h30m".'),
        (
            "filter[tags]=a&filter[tags]=b",
            "A parameter is there twice; several values of one filter are joined by commas.",
        ),
        (
            "filter[tag]=a",
            (
                "There is no filter or page parameter 'filter[tag]'; there are asOf, filter[createdAt][from],"
                " filter[createdAt][period], filter[createdAt][to], filter[idempotencyKey], filter[status],"
                " filter[tags], page[after], page[before], page[size]."
            ),
        ),
    ],
)
async def test_a_list_that_there_is_none_of_is_refused(engine: Engine, query: str, sentence: str) -> None:
    assert await engine.refused("GET", f"{TOKENS}?{query}", 400) == sentence


@pytest.mark.parametrize("key", KEYS, ids=ascii)
async def test_an_idempotency_key_is_found_again_and_shown_as_it_is(engine: Engine, key: str) -> None:
    token = await create(engine, idempotencyKey=key)

    assert await engine.post(TOKENS, {"idempotencyKey": key}) | {"url": ""} == {
        "id": token,
        "isCached": True,
        "url": "",
    }
    assert (await engine.get(f"{TOKENS}/{token}"))["idempotencyKey"] == key
    assert [each["idempotencyKey"] for each in (await engine.get(TOKENS))["data"]] == [key]
    assert await listed(engine, **{"filter[idempotencyKey]": key}) == [token]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=ascii)
async def test_keys_that_look_alike_are_two(engine: Engine, one: str, other: str) -> None:
    tokens = [await create(engine, idempotencyKey=key) for key in (one, other)]

    assert [await listed(engine, **{"filter[idempotencyKey]": key}) for key in (one, other)] == [
        [tokens[0]],
        [tokens[1]],
    ]


@pytest.mark.parametrize("tag", [tag for tag in WILD if len(tag) <= 128], ids=ascii)
async def test_a_tag_is_shown_as_it_is(engine: Engine, tag: str) -> None:
    token = await create(engine, tags=tag)

    assert (await engine.get(f"{TOKENS}/{token}"))["tags"] == [tag]
    if "," not in tag:
        assert await listed(engine, **{"filter[tags]": tag}) == [token]
