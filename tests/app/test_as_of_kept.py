"""What an environment keeps as it was: channels, connections, secrets, variables, keys, bulk actions, sinks, workers.

Nothing that is secret, or was taken back since, is told of the past.
"""

from typing import Any

import httpx
import pytest

from adapters.secrets import KEY_BYTES, MasterKey, Vault
from app import bulk as bulk_actions
from domain.events import BulkAdvanced, BulkStarted
from tests.app.harness import LEASE_MS, MASTER_KEY, Engine, admin, environment
from tests.app.test_alerts import ALERTS, channel, fail
from tests.app.test_bulk import BULK, ended, started
from tests.app.test_erasing import SECRET, secret_run
from tests.app.tokens import make_token
from tests.app.waiting import blocked, waits

CONNECTIONS, SECRETS = "/api/v1/connections", "/v1/secrets"
VARIABLES = "/api/v1/projects/default/envvars/dev"
ENVIRONMENTS, WORKERS = "/api/v1/environments", "/api/v1/workers"
VALUE = "ghp_nobody_may_read_this"
URL = "https://example.com/"


async def test_alert_channels_are_those_of_the_moment(engine: Engine) -> None:
    header = {"Authorization": "Bearer secret://token"}
    one = await channel(engine, kind="webhook", url=URL, headers=header)
    path = f"{ALERTS}/{one['id']}"
    created = [await engine.get(each) for each in (ALERTS, path)], engine.head
    await engine.put(f"{SECRETS}/token", {"value": VALUE})
    await fail(engine)
    failing = [await engine.get(each) for each in (ALERTS, path)], engine.head
    await engine.client.delete(path)

    assert [each["error"] is None for each in (created[0][1], failing[0][1])] == [False, True]
    assert [each["failing"] for each in (created[0][1], failing[0][1])] == [[], ["task:greet"]]
    for answers, position in (created, failing):
        assert [await engine.get(each, asOf=position) for each in (ALERTS, path)] == answers
    assert (await engine.get(ALERTS, asOf=1))["data"] == (await engine.get(ALERTS))["data"] == []
    assert await engine.refused("GET", f"{path}?asOf=1", 404) == f"Alert channel {one['id']} did not exist yet."
    said = await engine.refused("GET", f"{path}?asOf={engine.head}", 404)
    assert said == f"Alert channel {one['id']} was removed by then."
    assert VALUE not in str(failing)


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [(CONNECTIONS, {"credentials": {"token": VALUE}}, "connection"), (SECRETS, {"value": VALUE}, "secret")],
)
async def test_what_has_credentials_is_that_of_the_moment_without_them(
    engine: Engine, path: str, body: dict[str, Any], word: str
) -> None:
    other, one = f"{path}/other", f"{path}/github"
    await engine.put(other, body)
    await engine.put(one, body)
    before = [await engine.get(each) for each in (path, one)], engine.head
    await engine.advance(1_000)
    await engine.put(one, body)
    saved_again = [await engine.get(each) for each in (path, one)], engine.head
    await engine.client.delete(one)

    assert saved_again[0] != before[0]
    for answers, position in (before, saved_again):
        assert [await engine.get(each, asOf=position) for each in (path, one)] == answers
    assert [each["name"] for each in before[0][0]["data"]] == ["github", "other"]
    assert (await engine.get(path, asOf=1))["data"] == []
    for position in (1, engine.head):
        said = await engine.refused("GET", f"{one}?asOf={position}", 404)
        assert said == f"There was no {word} github in this environment."
    assert VALUE not in str(before)


async def _save(engine: Engine, **values: Any) -> None:
    for name, value in values.items():
        await engine.post(VARIABLES, {"name": name, "value": value})


async def _told(engine: Engine, position: int) -> dict[str, str]:
    """The values of then, of which each one alone says the same."""
    listed = {each["name"]: each for each in await engine.get(VARIABLES, asOf=position)}
    assert [await engine.get(f"{VARIABLES}/{name}", asOf=position) for name in listed] == list(listed.values())
    return {name: each["value"] for name, each in listed.items()}


async def test_variables_are_those_of_the_moment(engine: Engine) -> None:
    await _save(engine, LEVEL="info", REGION="eu")
    await engine.post(VARIABLES, {"name": "TOKEN", "value": VALUE, "isSecret": True})
    before, position = await engine.get(VARIABLES), engine.head
    await _save(engine, LEVEL="debug", LATER="1")

    assert await engine.get(VARIABLES, asOf=position) == before
    assert await _told(engine, position) == {"LEVEL": "info", "REGION": "eu", "TOKEN": "<redacted>"}
    assert await engine.get(VARIABLES, asOf=engine.head) == await engine.get(VARIABLES)
    said = await engine.refused("GET", f"{VARIABLES}/LATER?asOf={position}", 404)
    assert said == "This environment had no variable LATER."
    assert "did not exist yet" in await engine.refused("GET", f"{VARIABLES}?asOf=1", 404)


async def test_a_value_that_was_taken_back_since_is_told_no_more(engine: Engine) -> None:
    await _save(engine, REMOVED=VALUE, AGAIN=VALUE, HIDDEN=VALUE, PLAIN="1")
    position = engine.head
    await engine.delete(f"{VARIABLES}/REMOVED")
    await engine.delete(f"{VARIABLES}/AGAIN")
    await engine.post(VARIABLES, {"name": "HIDDEN", "value": VALUE, "isSecret": True})
    await _save(engine, AGAIN="2", HIDDEN="2")

    hidden = dict.fromkeys(("AGAIN", "HIDDEN", "REMOVED"), "<redacted>")
    assert await _told(engine, position) == hidden | {"PLAIN": "1"}
    assert await _told(engine, engine.head) == {"AGAIN": "2", "HIDDEN": "2", "PLAIN": "1"}


async def test_a_value_of_then_whose_key_is_no_longer_here_is_told_no_more(engine: Engine) -> None:
    await _save(engine, LEVEL="info")
    position, other = engine.head, MasterKey(bytes([7]) * KEY_BYTES)
    service = engine.service
    service.vault = Vault([other, MASTER_KEY], bytes)
    await engine.post(f"{CONNECTIONS}/rotate")
    assert await _told(engine, position) == {"LEVEL": "info"}

    service.vault = Vault([other], bytes)

    assert await _told(engine, position) == {"LEVEL": "<redacted>"}
    assert await _told(engine, engine.head) == {"LEVEL": "info"}


async def test_environments_and_their_keys_are_those_of_the_moment(engine: Engine) -> None:
    keys = f"{ENVIRONMENTS}/dev/keys"
    made = await engine.post(keys)
    before = [await engine.get(each) for each in (ENVIRONMENTS, keys)], engine.head
    await engine.put("/api/v1/concurrency", {"concurrencyLimit": 3})
    await engine.delete(f"{keys}/{made['id']}")
    await environment(engine, "stg")

    now = [await engine.get(each) for each in (ENVIRONMENTS, keys)]
    assert now != before[0]
    assert [await engine.get(each, asOf=before[1]) for each in (ENVIRONMENTS, keys)] == before[0]
    assert [each["id"] for each in before[0][1]["data"]] == [now[1]["data"][0]["id"], made["id"]]
    assert made["key"] not in str(before)
    every = admin(engine)
    listed = [(await every.get(ENVIRONMENTS, asOf=each))["data"] for each in (before[1], engine.head)]
    assert [[each["slug"] for each in found] for found in listed] == [["dev"], ["dev", "stg"]]
    for path in (ENVIRONMENTS, keys):
        assert (await engine.get(path, asOf=1))["data"] == []


async def test_bulk_actions_are_as_far_as_they_were(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "CHUNK_RUNS", 2)
    first = await started(engine, "cancel", runIds=[await engine.trigger()])
    await ended(engine, first)
    listed, position = await engine.get(BULK), engine.head
    bulk = await started(engine, "cancel", runIds=[await engine.trigger() for _ in range(3)])
    over = await ended(engine, bulk), engine.head

    path = f"{BULK}/{bulk}"
    history = await engine.service.history(bulk)
    kinds = [type(each.event) for each in history]
    assert kinds[:3] == [BulkStarted, BulkAdvanced, BulkAdvanced]
    then = [await engine.get(path, asOf=each.position) for each in history]
    assert [each["counts"]["success"] for each in then] == [0, 2, 3, 3]
    assert [each["status"] for each in then] == ["PENDING", "PENDING", "PENDING", "COMPLETED"]
    assert ["completedAt" in each for each in then] == [False, False, False, True]
    assert then[-1] == over[0]
    assert await engine.get(BULK, asOf=position) == listed
    for query in ({"page[size]": "1"}, {"page[size]": "1", "page[after]": (await _next(engine))}):
        assert await engine.get(BULK, asOf=engine.head, **query) == await engine.get(BULK, **query)
    assert (await engine.get(BULK, asOf=1))["data"] == []
    assert await engine.refused("GET", f"{path}?asOf={position}", 404) == f"Bulk action {bulk} did not exist yet."


async def _next(engine: Engine) -> str:
    return str((await engine.get(BULK, **{"page[size]": "1"}))["pagination"]["next"])


async def test_sinks_are_those_of_the_moment_as_far_as_the_ledger_notes_them(engine: Engine) -> None:
    path = "/api/v1/sinks"
    body = {"name": "audit", "url": URL, "secret": "signing"}
    sink = (await engine.client.post(path, json=body)).json()
    position = engine.head
    await engine.client.delete(f"{path}/{sink['id']}")

    known = ("id", "name", "url", "secret", "format", "createdAt")
    expected = {name: sink[name] for name in known} | {"position": sink["position"]}
    assert await engine.get(path, asOf=position) == {"data": [expected]}
    for other in (1, engine.head):
        assert await engine.get(path, asOf=other) == {"data": []}


async def test_how_long_runs_were_kept_is_told(engine: Engine, tmp_path: Any) -> None:
    engine.service.retention.folder = tmp_path
    before, position = await engine.get("/api/v1/retention"), engine.head
    after = await engine.put("/api/v1/retention", {"days": 7})

    assert await engine.get("/api/v1/retention", asOf=position) == before
    assert await engine.get("/api/v1/retention", asOf=engine.head) == after
    assert (before["days"], after["days"]) == (None, 7)


async def test_workers_of_a_moment_are_those_that_had_runs(engine: Engine) -> None:
    version = await engine.register({"id": "greet"}, {"id": "charge", "queue": {"name": "payments"}})
    first, second = await engine.trigger(), await engine.trigger()
    taken = await engine.take(version)
    await engine.turn(version, waits(taken, 0, **{"for": 60_000}), blocked(taken, 0), want=3, name="shop-3/4711")
    (now,), position = (await engine.get(WORKERS))["data"], engine.head
    await engine.advance(LEASE_MS)

    then = await engine.get(WORKERS, asOf=position)
    assert then["pagination"] == {"currentPage": 1, "totalPages": 1, "count": 1}
    known = ("id", "version", "isBuiltin", "tasks", "queues", "running", "waiting", "runs")
    assert then["data"] == [{name: now[name] for name in known}]
    assert {run["id"] for run in now["runs"]} == {first, second}
    assert (now["running"], now["waiting"]) == (1, 1)
    assert (await engine.get(WORKERS, asOf=position, page=2))["data"] == []
    for other in (1, engine.head):
        assert (await engine.get(WORKERS, asOf=other))["data"] == (await engine.get(WORKERS))["data"] == []


async def test_what_was_erased_since_is_told_of_no_moment(engine: Engine) -> None:
    run = await secret_run(engine)
    before = range(2, engine.head + 1)
    await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})

    every = ("", "/events", "/metadata", "/result", "/trace", f"/spans/{run}", "/journal", "/logs", "/explain")
    for position in before:
        for what in every:
            response = await engine.client.get(f"/api/v1/runs/{run}{what}", params={"asOf": position})
            assert response.status_code in {200, 404}, (what, position, response.text)
            assert SECRET not in response.text, (what, position)
        assert SECRET not in str(await engine.get("/api/v1/runs", asOf=position))


async def test_the_past_opens_to_those_to_whom_the_present_does(engine: Engine) -> None:
    """Whoever has a key of now sees what was before it; a key that was taken back sees nothing, of no moment."""
    other = await environment(engine, "stg")
    one = await channel(engine, kind="webhook", url=URL)
    await engine.put(f"{CONNECTIONS}/github", {"credentials": {}})
    await _save(engine, LEVEL="info")
    bulk = await started(engine, "cancel", runIds=[await engine.trigger()])
    await ended(engine, bulk)
    made = await engine.post(f"{ENVIRONMENTS}/dev/keys")
    position, token = engine.head, await make_token(engine, "admin")
    await engine.delete(f"{ENVIRONMENTS}/dev/keys/{made['id']}")
    lists = (ALERTS, CONNECTIONS, SECRETS, BULK, "/api/v1/sinks", WORKERS)
    singles = (f"{ALERTS}/{one['id']}", f"{CONNECTIONS}/github", f"{BULK}/{bulk}")
    of_slug = (VARIABLES, f"{VARIABLES}/LEVEL", f"{ENVIRONMENTS}/dev/keys")
    every = (*lists, *singles, *of_slug, ENVIRONMENTS, "/api/v1/retention")

    async def statuses(client: httpx.AsyncClient, paths: tuple[str, ...], key: str = "") -> set[int]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return {(await client.get(each, params={"asOf": position}, headers=headers)).status_code for each in paths}

    assert await statuses(engine.client, every) == {200}
    assert await statuses(other.client, lists) == {200}
    for path in lists:
        assert (await other.get(path, asOf=position))["data"] == []
    assert await statuses(other.client, singles) == {404}
    assert await statuses(other.client, of_slug) == {403}
    assert await statuses(engine.client, every, made["key"]) == {401}
    keepers = (ENVIRONMENTS, f"{ENVIRONMENTS}/dev/keys")
    assert await statuses(engine.client, tuple(set(every) - set(keepers)), token) == {403}
    assert await statuses(engine.client, keepers, token) == {401}


@pytest.mark.parametrize(
    "path", [ALERTS, CONNECTIONS, SECRETS, VARIABLES, ENVIRONMENTS, BULK, "/api/v1/sinks", "/api/v1/retention", WORKERS]
)
async def test_what_is_no_moment_is_refused(engine: Engine, path: str) -> None:
    assert "asOf is a position of the ledger" in await engine.refused("GET", f"{path}?asOf=x", 400)
