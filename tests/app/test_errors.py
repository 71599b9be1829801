"""Errors as answers: one shape for all of them, and one table that forgets none."""

import httpx
import pytest
from fastapi import FastAPI

from app.web.errors import CODES, STATUS, TITLES, Malformed, Unauthorized, install
from domain import errors
from domain.errors import RunfoldError
from tests.app.harness import ADMIN_KEY, Engine, Log, application_of, sentence_of
from tests.app.references.errors import import_rooms, status_of_kind, walk
from tests.app.routes import BODIES, method_of, path_for, routes_of


def test_no_error_is_missing_from_the_table() -> None:
    import_rooms()
    known = STATUS.keys() - {RunfoldError}

    only_by_the_root = [kind.__name__ for kind in walk(RunfoldError) if not known & set(kind.__mro__)]

    assert only_by_the_root == ["RunfoldError"]
    assert TITLES.keys() >= set(STATUS.values())


def test_each_error_has_the_status_that_tells_what_to_do() -> None:
    import_rooms()

    assert {kind.__name__: status_of_kind(kind) for kind in walk(RunfoldError)} == {
        "Malformed": 400,
        "NotAllowed": 400,
        "Late": 400,
        "Unauthorized": 401,
        "UsedUp": 401,
        "Forbidden": 403,
        "NotGranted": 403,
        "NotFound": 404,
        "Archived": 404,
        "QueueNotFound": 404,
        "UnknownVersion": 404,
        "LengthRequired": 411,
        "TooLarge": 413,
        "WrongMediaType": 415,
        "InvalidInput": 422,
        "KeyMissing": 422,
        "TooLate": 422,
        "WrongCheckpoint": 422,
        "WrongExport": 422,
        "WrongProof": 422,
        "WrongReceipt": 422,
        "WrongSegment": 422,
        "Refused": 422,
        "Unavailable": 503,
        "Busy": 503,
        "LedgerUnavailable": 503,
        "Deposed": 503,
        "LedgerError": 500,
        "LedgerCorrupt": 500,
        "OutOfStep": 500,
        "SealBroken": 500,
        "RunfoldError": 500,
    }


@pytest.mark.parametrize("kind", [Malformed, Unauthorized, *STATUS], ids=lambda kind: kind.__name__)
async def test_every_error_becomes_a_body_of_the_one_shape(kind: type[RunfoldError]) -> None:
    application = FastAPI()
    install(application)

    @application.get("/raise")
    async def raise_it() -> None:  # pyright: ignore[reportUnusedFunction]
        raise kind("What was asked, and what stood in the way.")

    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
        response = await client.get("/raise")

    more = ["code"] if kind in CODES else []
    if kind is errors.QueueNotFound:
        assert (response.json()["error"], response.json()["title"]) == ("queue-not-found", "Not found")
        assert response.json()["detail"] == "What was asked, and what stood in the way."
    else:
        assert sentence_of(response, *more) == "What was asked, and what stood in the way."
    assert response.status_code == STATUS[kind]
    assert ("retry-after" in response.headers) is (STATUS[kind] == 503)


async def test_a_bug_is_logged_and_answered_without_its_traceback(engine: Engine, log: Log) -> None:
    application = application_of(engine)

    @application.get("/bug")
    async def bug() -> None:  # pyright: ignore[reportUnusedFunction]
        raise ZeroDivisionError("secret detail")

    response = await engine.client.get("/bug")

    assert response.status_code == 500
    assert sentence_of(response) == "Something went wrong here; the engine's log says what."
    assert [repr(entry.get("exc_info")) for entry in log] == ["ZeroDivisionError('secret detail')"]
    log.clear()


async def test_why_a_database_is_unavailable_is_in_the_log_alone(engine: Engine, log: Log) -> None:
    application = application_of(engine)

    @application.get("/unavailable")
    async def unavailable() -> None:  # pyright: ignore[reportUnusedFunction]
        raise errors.Unavailable("The ledger cannot be read.") from OSError("/secret/socket")

    response = await engine.client.get("/unavailable")

    assert (response.status_code, sentence_of(response)) == (503, "The ledger cannot be read.")
    assert [entry["cause"] for entry in log if "cause" in entry] == ["/secret/socket"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/run", "/api/v1/tasks//", "/api/v9/runs/run_1", "/docs/oauth2-redirect"]
)
async def test_where_there_is_nothing_it_is_said_so(engine: Engine, path: str) -> None:
    sentence = await engine.refused("GET", path, 404)

    assert sentence == f"There is nothing at {path}."


async def test_a_wrong_method_is_told_the_right_one(engine: Engine) -> None:
    wrong: dict[tuple[str, str], str] = {}
    routes = routes_of(application_of(engine))
    for method, path in routes:
        response = await engine.client.request("TRACE", path_for(path))
        assert response.status_code == 405, path
        assert sentence_of(response) == f"TRACE is not a method of {path_for(path)}."
        wrong[method, path] = response.headers["allow"]

    assert {(method, path): method in allowed for (method, path), allowed in wrong.items()} == dict.fromkeys(
        routes, True
    )


@pytest.mark.parametrize("body", [b"\xff\xfe", b"{", b"[]", b"5", b'"x"', b"null", b'{"a":' * 2_000])
async def test_no_route_takes_a_body_that_it_cannot_read(engine: Engine, body: bytes) -> None:
    run = await engine.trigger(delay="1h")
    for path in BODIES:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"} if path == "/api/v1/environments" else {}
        await engine.refused(method_of(path), path_for(path, run), 400, content=body, headers=headers)


async def test_a_body_with_two_mistakes_names_one(engine: Engine) -> None:
    sentence = await engine.refused("GET", "/api/v1/ledger/events?after=x&limit=y", 400)

    assert sentence == "after: Input should be a valid integer, unable to parse string as an integer."
