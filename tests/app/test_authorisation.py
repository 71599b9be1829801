"""Who may do what: a matrix of every route there is and every kind of key and token, and a table of what is expected.

A route without a line in the table fails, and so does a refusal that writes something.
"""

from typing import Any, NamedTuple

import httpx
import pytest

from app.engine.environments import digest_of
from app.web.docs import OPEN_PATHS
from app.web.items import LINE_MAX_BYTES
from domain.commands import AddKey, RevokeKey
from tests.app.harness import (
    ADMIN_KEY,
    KEY,
    START_MS,
    Engine,
    application_of,
    environment,
    sentence_of,
)
from tests.app.routes import BODIES, path_for, routes_of
from tests.app.tokens import make_token, signed_token

SECOND_KEY, REVOKED_KEY = "tr_dev_another_key", "tr_dev_a_revoked_key"
SCOPES = {
    "run": "read:runs:{run}",
    "another run": "read:runs:run_other",
    "runs": "read:runs",
    "no run": "read:runs:",
    "task": "read:tasks:greet",
    "another task": "read:tasks:other",
    "tag": "read:tags:a",
    "another tag": "read:tags:b",
    "batch": "read:batch:{batch}",
    "another batch": "read:batch:batch_other",
    "write runs": "write:runs:{run}",
    "waitpoint": "write:waitpoints:{token}",
    "read waitpoint": "read:waitpoints:{token}",
    "another waitpoint": "write:waitpoints:waitpoint_other",
    "write tasks": "write:tasks:greet",
    "trigger": "trigger:tasks:greet",
    "trigger another": "trigger:tasks:other",
    "batch trigger": "batchTrigger:tasks:greet",
    "all": "read:all",
    "admin": "admin",
    "an action alone": "read",
    "nothing known": "dance:runs",
}
OF_A_RUN = {"run", "runs", "task", "tag", "batch", "all", "admin"}
OPENED: dict[str, set[str]] = {
    "reads a run": OF_A_RUN,
    "reads all runs": {"runs", "all", "admin"},
    "reads a tag": {"tag", "runs", "all", "admin"},
    "reads a batch": {"batch", "runs", "all", "admin"},
    "reads a waitpoint": {"read waitpoint", "all", "admin"},
    "completes a waitpoint": {"waitpoint", "admin"},
    "triggers": {"trigger", "admin"},
    "triggers a batch": {"batch trigger", "admin"},
}
"""Which scopes open routes to public tokens, and with those to secret keys."""
RULES = {
    "reads a run": """
        GET /api/v1/runs/{run}
        GET /api/v3/runs/{run}
        GET /api/v1/runs/{run}/result
        GET /api/v1/runs/{run}/stream
        GET /api/v1/runs/stream
        GET /realtime/v1/runs/{run}
    """,
    "reads all runs": """
        GET /api/v1/runs
        GET /api/v1/projects/{project}/runs
    """,
    "reads a tag": "GET /realtime/v1/runs",
    "reads a batch": """
        GET /api/v1/batches/{batch}
        GET /api/v2/batches/{batch}
        GET /realtime/v1/batches/{batch}
    """,
    "reads a waitpoint": "GET /api/v1/waitpoints/tokens/{token}",
    "completes a waitpoint": "POST /api/v1/waitpoints/tokens/{token}/complete",
    "triggers": "POST /api/v1/tasks/{task}/trigger",
    "triggers a batch": """
        POST /api/v1/tasks/{task}/batch
        POST /api/v3/batches
    """,
    "anyone": """
        GET /livez
        GET /readyz
        GET /metrics
        GET /api/v1/timezones
        POST /api/v1/waitpoints/tokens/{token}/callback/{secret}
        POST /v1/triggers/{token}
        PUT /packets/v1/{stream}/{name}
        GET /packets/v1/{stream}/{name}
    """,
    "the admin key": "POST /api/v1/environments",
    "a keeper": """
        GET /api/v1/environments
        GET /api/v1/environments/{slug}/keys
        POST /api/v1/environments/{slug}/keys
        DELETE /api/v1/environments/{slug}/keys/{key}
    """,
    "a secret key": """
        POST /api/v1/runs/{run}/replay
        POST /api/v1/runs/{run}/erase
        POST /api/v1/erasures
        GET /api/v1/sinks
        POST /api/v1/sinks
        DELETE /api/v1/sinks/{sink}
        GET /api/v1/retention
        PUT /api/v1/retention
        GET /api/v1/erasures/{erasure}
        GET /api/v1/ledger/stream
        GET /api/v1/runs/{run}/events
        GET /api/v1/runs/{run}/explain
        POST /api/v2/runs/{run}/cancel
        POST /api/v1/runs/{run}/reschedule
        POST /api/v1/idempotencyKeys/{key}/reset
        GET /api/v1/runs/{run}/journal
        POST /api/v1/runs/{run}/tags
        GET /api/v1/runs/{run}/metadata
        PUT /api/v1/runs/{run}/metadata
        GET /api/v1/runs/{run}/logs
        GET /api/v1/runs/{run}/trace
        GET /api/v1/runs/{run}/spans/{span}
        POST /api/v3/batches/{batch}/items
        GET /api/v1/batches/{batch}/results
        GET /api/v1/batches
        POST /api/v1/tasks/batch
        POST /api/v2/tasks/batch
        POST /api/v1/bulk-actions
        GET /api/v1/bulk-actions
        GET /api/v1/bulk-actions/{bulk}
        POST /api/v1/bulk-actions/{bulk}/abort
        POST /api/v1/waitpoints/tokens
        GET /api/v1/waitpoints/tokens
        GET /api/v1/queues
        GET /api/v1/queues/{queue}
        POST /api/v1/queues/{queue}/pause
        POST /api/v1/queues/{queue}/concurrency/override
        POST /api/v1/queues/{queue}/concurrency/reset
        GET /api/v1/concurrency
        PUT /api/v1/concurrency
        POST /api/v1/schedules
        GET /api/v1/schedules
        GET /api/v1/schedules/{schedule}
        PUT /api/v1/schedules/{schedule}
        POST /api/v1/schedules/{schedule}/activate
        POST /api/v1/schedules/{schedule}/deactivate
        DELETE /api/v1/schedules/{schedule}
        GET /api/v1/schedules/{schedule}/ticks
        POST /api/v1/schedules/{schedule}/run-now
        POST /api/v1/schedules/{schedule}/backfill
        GET /api/v1/deployments
        GET /api/v1/deployments/current
        GET /api/v1/deployments/latest
        GET /api/v1/deployments/{deployment}
        POST /api/v1/deployments/{deployment}/promote
        GET /api/v1/workers
        POST /v1/jobs
        POST /v1/jobs/preview
        POST /v1/jobs/import
        GET /v1/jobs
        GET /v1/jobs/{job}
        PATCH /v1/jobs/{job}
        DELETE /v1/jobs/{job}
        POST /v1/jobs/{job}/pause
        POST /v1/jobs/{job}/resume
        POST /v1/jobs/{job}/run-now
        GET /v1/executions
        GET /v1/jobs/{job}/executions
        GET /v1/executions/{execution}
        POST /v1/executions/{execution}/replay
        GET /v1/secrets
        POST /v1/secrets
        GET /v1/secrets/{name}
        PUT /v1/secrets/{name}
        DELETE /v1/secrets/{name}
        PUT /api/v2/packets/{path}
        GET /api/v1/packets/{packet}
        GET /api/v1/runs/{run}/packets/{name}
        POST /api/v1/auth/jwt/claims
        POST /api/v1/auth/public-tokens
        GET /api/v1/connections
        POST /api/v1/connections/rotate
        GET /api/v1/connections/{name}
        PUT /api/v1/connections/{name}
        DELETE /api/v1/connections/{name}
        GET /api/v1/projects/{project}/envvars/{slug}
        POST /api/v1/projects/{project}/envvars/{slug}
        POST /api/v1/projects/{project}/envvars/{slug}/import
        GET /api/v1/projects/{project}/envvars/{slug}/{name}
        PUT /api/v1/projects/{project}/envvars/{slug}/{name}
        DELETE /api/v1/projects/{project}/envvars/{slug}/{name}
        GET /worker/v1/variables
        GET /api/v1/ledger/events
        GET /api/v1/ledger/verified
        GET /api/v1/ledger/diff
        POST /api/v1/events
        GET /api/v1/events
        POST /api/v1/events/bulk
        GET /api/v1/events/{event}
        POST /api/v1/events/{event}/cancel
        POST /v1/alerts
        GET /v1/alerts
        GET /v1/alerts/{channel}
        DELETE /v1/alerts/{channel}
        POST /v1/alerts/{channel}/test
        POST /worker/v1/register
        POST /worker/v1/turn
        GET /worker/v1/runs/{run}/journal
    """,
}
"""Every route, below what its callers need. The items of a batch are also taken from the very token that began it."""
RULE_OF = {line.strip(): rule for rule, routes in RULES.items() for line in routes.strip().splitlines()}
LINE = '{"index": 0, "task": "greet"}'
ASKED: dict[str, dict[str, Any]] = {
    "GET /api/v1/runs/stream": {"params": {"run": "{run}"}},
    "GET /realtime/v1/runs": {"params": {"tags": "a"}},
    # Nothing is to go on by itself while it is looked whether a refusal wrote anything.
    "POST /api/v1/bulk-actions": {"json": {"action": "cancel", "runIds": []}},
    "POST /api/v3/batches": {"json": {"runCount": 1, "taskIdentifiers": ["greet"]}},
    "POST /api/v3/batches/{batch}/items": {"content": LINE, "headers": {"content-type": "application/x-ndjson"}},
}
"""What is asked besides the paths and bodies that all tests use."""
INVALID = {"nothing", "a wrong key", "a revoked key", "expired", "of a revoked key", "for another environment"}
OWN = {"run", "erasure", "sink", "batch", "token", "bulk", "schedule", "job", "event", "channel"}
"""What is named in paths and belongs to the environment of the key, so that it does not exist for another one."""


class Asked(NamedTuple):
    """A request of the matrix."""

    route: str
    method: str
    path: str
    more: dict[str, Any]


def _expected(route: str, who: str) -> int | None:
    """The status with which these callers are refused; None if they are not."""
    rule, is_named = RULE_OF[route], any(f"{{{name}}}" in route for name in OWN)
    match who, rule:
        case "the admin key", _:
            return None if rule in {"the admin key", "a keeper"} else 401
        case (("a secret key" | "another environment's key"), "the admin key"):
            return 403
        case "a secret key", _:
            return None
        case "another environment's key", _ if "{slug}" in route:
            return 403
        case "another environment's key", _:
            return 404 if is_named or route == "GET /api/v1/runs/stream" else None
        case _ if who in INVALID or rule in {"the admin key", "a keeper"}:
            return 401
        case "used up", "triggers" | "triggers a batch" if not is_named:
            return 401
        case "every scope", _:
            return None if rule in OPENED else 403
        case _:
            return None if who in OPENED.get(rule, set[str]()) else 403


def test_every_route_is_in_the_table(engine: Engine) -> None:
    routes = {f"{method} {path}" for method, path in routes_of(application_of(engine))}

    assert RULE_OF.keys() == routes
    assert {route.partition(" ")[2] for route, rule in RULE_OF.items() if rule == "anyone"} == OPEN_PATHS


async def test_every_route_opens_to_those_of_the_table_and_a_refusal_writes_nothing(engine: Engine) -> None:
    named = await _things(engine)
    other = await environment(engine, "stg")
    other_key = other.client.headers.pop("authorization").removeprefix("Bearer ")
    callers = await _invalid(engine) | await _tokens(engine, named)
    callers |= {"another environment's key": other_key, "the admin key": ADMIN_KEY, "a secret key": KEY}
    requests, head = _requests(named), engine.head

    wrong: list[str] = []
    of_nobody: dict[str, int] = {}
    for who, key in callers.items():
        headers = {"authorization": f"Bearer {key}"} if key else {}
        for asked in requests:
            if who in SCOPES and who != "admin" and RULE_OF[asked.route] not in OPENED:
                continue  # the token that has all scopes at once stands for these
            before = engine.head
            answer = await _sent(other.client, asked, headers)
            if RULE_OF[asked.route] == "anyone":
                is_right = answer.status_code == of_nobody.setdefault(asked.route, answer.status_code)
            else:
                is_right = _is_right(answer, _expected(asked.route, who), is_written=engine.head != before)
            if not is_right:
                wrong.append(f"{asked.route} with {who}: {answer.status_code} {answer.text[:200]}")

    assert wrong == []
    # Another environment's key wrote into that environment alone.
    events = await engine.service.read(lambda: engine.service.ledger.read_after(head, limit=10_000))
    actor = f"key:{digest_of(other_key)[:12]}"
    ours = engine.service.environments()[0].id
    assert [each.stream for each in events if each.actor == actor and each.environment == ours] == []
    assert any(each.actor == actor for each in events)


def _is_right(answer: httpx.Response, expected: int | None, *, is_written: bool) -> bool:
    if expected is None:
        return answer.status_code not in {401, 403} and answer.status_code < 500
    return answer.status_code == expected and bool(sentence_of(answer, *_more(answer))) and not is_written


def _more(answer: httpx.Response) -> list[str]:
    return ["code"] if "code" in answer.json() else []


async def _sent(client: httpx.AsyncClient, asked: Asked, headers: dict[str, str]) -> httpx.Response:
    more = {name: value for name, value in asked.more.items() if name != "headers"}
    # What streams is asked as if all were known, or with what no stream has: it ends at once.
    headers = headers | {"last-event-id": "x"} | asked.more.get("headers", {})
    return await client.request(asked.method, asked.path, headers=headers, **more)


def _requests(named: dict[str, str]) -> list[Asked]:
    requests: list[Asked] = []
    for route in RULE_OF:
        method, _, path = route.partition(" ")
        more = ASKED.get(route, {"json": BODIES.get(path)})
        if "params" in more:
            more = {"params": {name: value.format(**named) for name, value in more["params"].items()}}
        its = named if "/items" not in path else named | {"batch": named["open"]}
        requests.append(Asked(route, method, path_for(path, **its), more))
    return requests


async def _things(engine: Engine) -> dict[str, str]:
    """One of each kind of the first environment, by the names that paths have for them."""
    made = await engine.post("/api/v1/tasks/greet/batch", {"items": [{"options": {"tags": ["a"]}}]})
    named = {"run": made["runs"][0]["id"], "batch": made["batchId"]}
    named["open"] = (await engine.client.post("/api/v3/batches", json={"runCount": 1})).json()["id"]
    named["token"] = (await engine.post("/api/v1/waitpoints/tokens", {}))["id"]
    named["schedule"] = (await engine.post("/api/v1/schedules", {"task": "greet", "every": 5}))["id"]
    job = {"name": "ping", "kind": "recurring", "schedule": {"every_n_minutes": 5}, "request": {"url": "http://a.test"}}
    named["job"] = (await engine.client.post("/v1/jobs", json=job)).json()["id"]
    named["bulk"] = (await engine.post("/api/v1/bulk-actions", {"action": "cancel", "runIds": ["run_1"]}))["id"]
    sent = {"event": {"name": "user.created"}, "options": {"deliverAfter": "1h"}}
    named["event"] = (await engine.post("/api/v1/events", sent))["id"]
    told = {"name": "ops", "kind": "webhook", "url": "http://a.test"}
    named["channel"] = (await engine.client.post("/v1/alerts", json=told)).json()["id"]
    head = engine.head
    while (await engine.get(f"/api/v1/bulk-actions/{named['bulk']}"))["status"] == "PENDING":
        await engine.service.loop.feed.grown(head)
        head = engine.head
    return named


async def _invalid(engine: Engine) -> dict[str, str]:
    name = engine.service.environments()[0].id
    origin: dict[str, Any] = {"environment": name, "actor": "test", "cause": "test", "at": engine.clock.wall}
    await engine.service.loop.submit(AddKey(sha256=digest_of(REVOKED_KEY), hint="tr_…", **origin))
    await engine.service.loop.submit(RevokeKey(sha256=digest_of(REVOKED_KEY), **origin))
    callers = {"nothing": "", "a wrong key": f"{KEY}x", "a revoked key": REVOKED_KEY}
    callers["expired"] = signed_token(sub=name, scopes=["admin"], exp=START_MS // 1_000)
    callers["of a revoked key"] = signed_token(REVOKED_KEY, sub=name, scopes=["admin"])
    callers["for another environment"] = signed_token(sub="env_0", scopes=["admin"])
    assert callers.keys() == INVALID
    return callers


async def _tokens(engine: Engine, named: dict[str, str]) -> dict[str, str]:
    scopes = {name: scope.format(**named) for name, scope in SCOPES.items()}
    tokens = {name: await make_token(engine, scope) for name, scope in scopes.items()}
    every = [scope for name, scope in scopes.items() if name != "admin"]
    used = await make_token(engine, *every, oneTimeUse=True)
    headers = {"authorization": f"Bearer {used}"}
    answer = await engine.client.post("/api/v1/tasks/greet/trigger", json={}, headers=headers)
    assert answer.status_code == 200
    return tokens | {"every scope": await make_token(engine, *every), "used up": used}


def test_the_table_of_scopes_is_the_one_that_is_used() -> None:
    assert set().union(*OPENED.values()) <= SCOPES.keys()
    assert OPENED.keys() < RULES.keys()


@pytest.mark.parametrize("tags", ["a,b", "b,a"])
async def test_a_token_for_one_tag_does_not_follow_two(engine: Engine, tags: str) -> None:
    """Also where runs with both would be among those that it may see."""
    token = await make_token(engine, "read:tags:a")

    answer = await engine.client.get(
        "/realtime/v1/runs", params={"tags": tags}, headers={"authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 403


async def test_the_items_of_a_batch_come_with_the_token_that_began_it(engine: Engine) -> None:
    scopes = "batchTrigger:tasks:greet", "read:runs"
    first, second = await make_token(engine, *scopes), await make_token(engine, *scopes)
    asked = {"runCount": 2, "taskIdentifiers": ["greet"]}
    path, lines = "/api/v3/batches", {"content-type": "application/x-ndjson"}
    engine.client.headers["authorization"] = f"Bearer {first}"
    batch = (await engine.client.post(path, json=asked)).json()["id"]
    path += f"/{batch}/items"
    too_long = '{"index": 0, "task": "other", "payload": "' + "x" * LINE_MAX_BYTES + '"}'

    taken = await engine.client.post(path, content=LINE, headers=lines)
    refusals = [
        await engine.refused("POST", path, 403, content=too_long, headers=lines),
        await engine.refused("POST", path, 403, content=LINE, headers=lines | {"authorization": f"Bearer {second}"}),
    ]

    assert (taken.status_code, taken.json()["itemsAccepted"]) == (200, 1)
    assert refusals == [
        "This public token has no scope for this: batchTrigger:tasks:other is needed.",
        "This public token did not begin this batch: its items come with what began it.",
    ]
