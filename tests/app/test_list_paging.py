"""Pages of a list: forwards, backwards, with both cursors, and while runs arrive."""

from typing import Any

from tests.app.harness import Engine

LIST = "/api/v1/runs"


async def _fill(engine: Engine, runs: int, **options: Any) -> list[str]:
    """So many runs, newest first."""
    items = [{"payload": number, "options": options} for number in range(runs)]
    answer = await engine.post("/api/v1/tasks/greet/batch", {"items": items})
    return [run["id"] for run in reversed(answer["runs"])]


async def _page(engine: Engine, **parameters: Any) -> tuple[list[str], dict[str, str]]:
    page = await engine.get(LIST, **parameters)
    assert page.keys() == {"data", "pagination"}
    return [run["id"] for run in page["data"]], page["pagination"]


async def test_a_list_is_walked_forwards_and_back_again(engine: Engine) -> None:
    runs = await _fill(engine, 60)
    expected = [runs[start : start + 7] for start in range(0, 60, 7)]

    forwards: list[list[str]] = []
    cursors: dict[str, str] = {}
    while True:
        page, cursors = await _page(engine, **{"page[size]": 7}, **_cursor(cursors, "after", "next"))
        forwards.append(page)
        if "next" not in cursors:
            break
    backwards = [page]
    while "previous" in cursors:
        page, cursors = await _page(engine, **{"page[size]": 7}, **_cursor(cursors, "before", "previous"))
        backwards.append(page)

    assert forwards == expected
    assert backwards == expected[::-1]


async def test_the_cursors_say_where_there_is_more(engine: Engine) -> None:
    await _fill(engine, 15)

    _, first = await _page(engine, **{"page[size]": 5})
    _, second = await _page(engine, **{"page[size]": 5, "page[after]": first["next"]})
    _, third = await _page(engine, **{"page[size]": 5, "page[after]": second["next"]})
    _, second_again = await _page(engine, **{"page[size]": 5, "page[before]": third["previous"]})
    _, first_again = await _page(engine, **{"page[size]": 5, "page[before]": second_again["previous"]})
    _, whole = await _page(engine, **{"page[size]": 15})

    assert [sorted(each) for each in (first, second, third, second_again, first_again, whole)] == [
        ["next"],
        ["next", "previous"],
        ["previous"],
        ["next", "previous"],
        ["next"],
        [],
    ]


async def test_before_wins_when_both_cursors_are_sent(engine: Engine) -> None:
    runs = await _fill(engine, 15)
    _, first = await _page(engine, **{"page[size]": 5})
    _, second = await _page(engine, **{"page[size]": 5, "page[after]": first["next"]})
    both = {"page[after]": first["next"], "page[before]": second["previous"]}

    page, cursors = await _page(engine, **{"page[size]": 5}, **both)

    assert page == runs[:5]
    assert sorted(cursors) == ["next"]


async def test_runs_that_arrive_meanwhile_move_nothing(engine: Engine) -> None:
    runs = await _fill(engine, 20)
    first, cursors = await _page(engine, **{"page[size]": 8})
    newer = await _fill(engine, 5)
    second, cursors = await _page(engine, **{"page[size]": 8, "page[after]": cursors["next"]})
    await _fill(engine, 5)
    third, _ = await _page(engine, **{"page[size]": 8, "page[after]": cursors["next"]})

    back, cursors = await _page(engine, **{"page[size]": 8, "page[before]": cursors["previous"]})
    ahead, _ = await _page(engine, **{"page[size]": 5, "page[before]": cursors["previous"]})

    assert first + second + third == runs
    assert back == first
    assert ahead == newer, "backwards from the first page lies what has come meanwhile"


async def test_pages_of_a_filtered_list_hold_only_what_it_leaves(engine: Engine) -> None:
    tagged: list[str] = []
    for _ in range(9):
        await _fill(engine, 3)
        tagged = await _fill(engine, 1, tags=["x"]) + tagged
    query = {"filter[tag]": "x", "page[size]": 4}

    first, cursors = await _page(engine, **query)
    second, cursors = await _page(engine, **query, **{"page[after]": cursors["next"]})
    third, cursors = await _page(engine, **query, **{"page[after]": cursors["next"]})

    assert [first, second, third] == [tagged[:4], tagged[4:8], tagged[8:]]
    assert "next" not in cursors


async def test_a_page_has_25_runs_when_nothing_is_said_and_100_at_most(engine: Engine) -> None:
    runs = await _fill(engine, 101)

    assert (await _page(engine))[0] == runs[:25]
    assert (await _page(engine, **{"page[size]": 100}))[0] == runs[:100]
    assert (await _page(engine, **{"page[size]": 1}))[0] == runs[:1]


async def test_an_empty_list_has_no_cursors(engine: Engine) -> None:
    assert await _page(engine) == ([], {})


async def test_an_empty_cursor_is_none(engine: Engine) -> None:
    (run,) = await _fill(engine, 1)

    assert await _page(engine, **{"page[after]": "", "page[before]": ""}) == ([run], {})


def _cursor(cursors: dict[str, str], parameter: str, name: str) -> dict[str, str]:
    return {f"page[{parameter}]": cursors[name]} if name in cursors else {}
