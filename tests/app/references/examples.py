"""Real requests to a real engine, and what they are answered: the examples of docs/reference/api.md."""

import random
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx
from msgspec import json

from adapters.ids import Uuid7Ids
from adapters.secrets import Vault
from domain.calls import AttemptStatus, Found, Timings
from domain.commands import StartBulk
from tests.app.harness import ADMIN_KEY, MASTER_KEY, Engine, report, running_engine, until

Json = Any
TASK = {
    "id": "send-email",
    "queue": {"name": "emails", "concurrencyLimit": 10},
    "retry": {"maxAttempts": 3, "minTimeoutInMs": 1_000, "maxTimeoutInMs": 60_000, "factor": 2.0, "randomize": True},
}
OPTIONS = {"tags": ["welcome"], "idempotencyKey": "welcome-ada", "metadata": {"campaign": 7}, "maxAttempts": 3}
ERROR = {"name": "SmtpError", "message": "mailbox full", "stackTrace": "Traceback (most recent call last): …"}
UNKNOWN = "run_00000000000000000000000000000000"


class Shown(NamedTuple):
    """A request for a route, and its answer. `note` says what it shows."""

    route: tuple[str, str]
    note: str
    target: str
    headers: dict[str, str]
    body: Json
    status: int
    answer: Json


class Recorder:
    """Sends requests and writes them down."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.shown: list[Shown] = []

    async def show(
        self, method: str, route: str, note: str = "", body: Json = None, *, query: str = "", **given: Any
    ) -> Any:
        """Send a request and write it down; `given` are the parameters of the path, and `headers`."""
        headers: dict[str, str] = given.pop("headers", {})
        target = route.format(**given) + query
        # A body that is bytes is no JSON, on purpose.
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        response = await self.engine.client.request(method, target, headers=headers, **sent)
        answer = _answer_of(response)
        self.shown.append(Shown((method, route), note, target, headers, body, response.status_code, answer))
        return answer


async def record() -> list[Shown]:
    """All examples, in the order in which they are to be read."""
    vault = Vault([MASTER_KEY], random.Random(2).randbytes)
    async with running_engine(ids=Uuid7Ids(random.Random(1).randbytes), vault=vault) as engine:
        recorder = Recorder(engine)
        for part in PARTS:
            await part(recorder)
        return recorder.shown


async def _trigger(at: Recorder) -> None:
    route = "/api/v1/tasks/{task}/trigger"
    await at.engine.post("/worker/v1/register", {"tasks": [TASK]})
    body = {"payload": {"to": "ada"}, "options": OPTIONS}
    await at.show("POST", route, "", body, task="send-email")
    await at.show("POST", route, "The same key again: the run that there is.", body, task="send-email")
    await at.show("POST", route, "", {"options": {"tags": list("abcdefghijk")}}, task="send-email")
    await at.show("POST", route, "", {"options": {"delay": "soon"}}, task="send-email")
    await at.show("POST", route, "", {"options": {"maxAttempts": "three"}}, task="send-email")
    await at.show("POST", route, "", b'{"payload": NaN}', task="send-email")


async def _batch(at: Recorder) -> None:
    route = "/api/v1/tasks/{task}/batch"
    items: list[Json] = [{"payload": {"to": "bob"}}, {"payload": {"to": "eve"}, "options": {"tags": ["late"]}}]
    await at.show("POST", route, "", {"items": items}, task="send-email")
    await at.show("POST", route, "", {"items": []}, task="send-email")
    await at.show("POST", route, "", {"items": [{}, {"options": {"ttl": -1}}]}, task="send-email")


async def _batches(at: Recorder) -> None:
    items: list[Json] = [{"task": "send-email", "payload": {"to": "joe"}}, {"task": "count-words"}]
    await at.show("POST", "/api/v1/tasks/batch", "", {"items": items})
    await at.show("POST", "/api/v2/tasks/batch", "", {"items": items})
    await at.show("POST", "/api/v2/tasks/batch", "", {"items": []})
    route = "/api/v3/batches"
    asked = {"runCount": 3, "idempotencyKey": "newsletter-48"}
    batch = (await at.show("POST", route, "", asked))["id"]
    await at.show("POST", route, "The same key again: the batch that there is.", asked)
    await at.show("POST", route, "", {"runCount": 1_001})
    route, lines = "/api/v3/batches/{batch}/items", {"content-type": "application/x-ndjson"}
    first = b'{"index": 0, "task": "send-email", "payload": {"to": "ada"}}\n{"index": 1, "task": "count-words"}\n'
    last = b'{"index": 1, "task": "count-words"}\n{"index": 2, "task": "send-email", "options": {"delay": "soon"}}\n'
    await at.show("POST", route, "", first, batch=batch, headers=lines)
    await at.show("POST", route, "The last item; another one is known already.", last, batch=batch, headers=lines)
    await at.show("POST", route, "", b"{}", batch=batch)
    for version in ("v1", "v2"):
        await at.show("GET", f"/api/{version}/batches/{{batch}}", batch=batch)
    run = (await at.engine.get(f"/api/v2/batches/{batch}"))["runs"][0]
    await at.engine.post(f"/api/v2/runs/{run}/cancel")
    await at.show("GET", "/api/v1/batches/{batch}/results", batch=batch)
    await at.show("GET", "/api/v1/batches", query="?page[size]=2")
    await at.show("GET", "/api/v1/batches", query="?filter[status]=OPEN")


async def _bulk_actions(at: Recorder) -> None:
    route = "/api/v1/bulk-actions"
    body = {"action": "cancel", "name": "Wrong newsletter", "filter": {"tag": "newsletter"}}
    bulk = (await at.show("POST", route, "", body))["id"]
    await at.show("POST", route, "", {"action": "replay", "filter": {}})
    await at.show("POST", route, "", {"action": "replay"})
    head = at.engine.head
    while (await at.engine.get(f"{route}/{bulk}"))["status"] == "PENDING":
        await at.engine.service.loop.feed.grown(head)
        head = at.engine.head
    await at.show("GET", f"{route}/{{bulk}}", bulk=bulk)
    await at.show("GET", route, query="?page[size]=10")
    await at.show("POST", f"{route}/{{bulk}}/abort", bulk=bulk)
    await at.show("POST", f"{route}/{{bulk}}/abort", bulk=await _begun(at))


async def _erasures(at: Recorder) -> None:
    run = await at.engine.trigger("send-email", {"to": "ada"}, tags=["user:4711"])
    await at.show("POST", "/api/v1/runs/{run}/erase", "", run=run)
    await at.engine.post(f"/api/v2/runs/{run}/cancel")
    receipt = await at.show("POST", "/api/v1/runs/{run}/erase", "", {"withNames": False}, run=run)
    body = {"tag": "user:4711", "withNames": True}
    await at.show("POST", "/api/v1/erasures", "", body)
    await at.show("GET", "/api/v1/erasures/{erasure}", erasure=receipt["id"])
    await at.show("PUT", "/api/v1/retention", "For ever, as it is by itself.", {"days": None})
    await at.show("PUT", "/api/v1/retention", "On an engine that has no folder for segments.", {"days": 30})
    await at.show("GET", "/api/v1/retention")


async def _sinks(at: Recorder) -> None:
    route, sinks = "/api/v1/sinks", at.engine.service.sinks
    sink = (await at.show("POST", route, "", {"name": "audit", "url": "https://example.com/events", "after": 0}))["id"]
    await at.show("POST", route, "", {"name": "archive", "file": "../all.jsonl"})
    await until(lambda: sink in sinks.progress and sinks.progress[sink].attempts > 0)
    await at.show("GET", route)
    await at.show("DELETE", f"{route}/{{sink}}", sink=sink)


async def _tokens(at: Recorder) -> None:
    route = "/api/v1/waitpoints/tokens"
    one = f"{route}/{{token}}"
    body = {"timeout": "24h", "idempotencyKey": "approve order 7", "tags": ["order", "approval"]}
    made = await at.show("POST", route, "", body)
    await at.show("POST", route, "The same key again: the token that there is.", body)
    await at.show("POST", route, "", {"timeout": "soon"})
    await at.show("POST", route, "", {"tags": list("abcdefghijk")})
    await at.show("POST", f"{one}/complete", "", {"data": {"approved": True}}, token=made["id"])
    await at.show("POST", f"{one}/complete", "", {"data": 1}, token="waitpoint_0123")
    await at.show("GET", one, token=made["id"])
    late = await at.engine.post(route, {"timeout": "0s"})
    await at.show("GET", one, "Nobody completed this one in time.", token=late["id"])
    await at.show("GET", one, token="waitpoint_0123")
    called = (await at.engine.post(route, {}))["url"].rpartition("/callback/")
    given = {"token": called[0].rpartition("/")[2], "secret": called[2]}
    await at.show("POST", f"{one}/callback/{{secret}}", "", {"payment": "succeeded"}, **given)
    await at.show("POST", f"{one}/callback/{{secret}}", "", {}, **given | {"secret": "5ec7e7"})
    await at.show("GET", route, query="?filter[status]=COMPLETED&filter[tags]=order")
    await at.show("GET", route, query="?filter[status]=DONE")


async def _begun(at: Recorder) -> str:
    """A bulk action that nobody carries on yet."""
    service, environment = at.engine.service, at.engine.service.environments()[0].id
    now = at.engine.clock.wall
    bulk = service.ids.new("bulk", now)
    asked = StartBulk(
        environment=environment, actor="test", cause="test", at=now, bulk=bulk, action="CANCEL", runs=(UNKNOWN,)
    )
    await service.loop.submit(asked)
    return bulk


async def _list(at: Recorder) -> None:
    route, query = "/api/v1/runs", "?filter[status]=QUEUED,EXECUTING&filter[tag]=welcome&page[size]=1"
    await at.show("GET", route, query=query)
    await at.show("GET", route, query="?filter[status]=DONE")
    await at.show("GET", route, query="?page[size]=101")
    await at.show("GET", route, query="?limit=10")
    route = "/api/v1/projects/{project}/runs"
    await at.show("GET", route, project="proj_any", query="?filter[env]=dev&page[size]=1")
    await at.show("GET", route, project="proj_any", query="?filter[env]=prod")


async def _retrieve(at: Recorder) -> None:
    engine, (run, *_) = at.engine, (await at.engine.listed())[::-1]
    version = (await engine.post("/worker/v1/register", {"tasks": [TASK]}))["version"]
    await engine.advance(1_000)
    await engine.perform(version, "failed", error=ERROR)
    await engine.advance(2_000)
    for route in ("/api/v3/runs/{run}", "/api/v1/runs/{run}"):
        note = "" if "v3" in route else "As it was at a position of the ledger. `/api/v3` takes `asOf` as well."
        await at.show("GET", route, note, run=run, query="" if "v3" in route else "?asOf=6")
        await at.show("GET", route, run=UNKNOWN)
        await at.show("GET", route, run=run, query="?asOf=yesterday")
        await at.show("GET", route, run=run, query="?asOf=1")


async def _result(at: Recorder) -> None:
    route, engine = "/api/v1/runs/{run}/result", at.engine
    version = (await engine.post("/worker/v1/register", {"tasks": [TASK]}))["version"]
    done = (await engine.perform(version, output={"sent": True}))["id"]
    failed = (await engine.perform(version, "failed", error=ERROR, retryable=False))["id"]
    waiting = await engine.trigger("send-email", delay="1h")
    await at.show("GET", route, "It completed: the output is text in the format of `outputType`.", run=done)
    await at.show("GET", route, "It ended in any other way.", run=failed)
    await at.show("GET", route, run=waiting)


async def _events(at: Recorder) -> None:
    route = "/api/v1/runs/{run}/events"
    run = (await at.engine.listed(**{"filter[status]": "COMPLETED"}))[0]
    await at.show("GET", route, run=run)
    await at.show("GET", route, run=UNKNOWN)


async def _trace(at: Recorder) -> None:
    route = "/api/v1/runs/{run}/trace"
    run = (await at.engine.listed(**{"filter[status]": "COMPLETED"}))[0]
    await at.show("GET", route, "Durations are milliseconds.", run=run)
    note = "A page of the same spans, one after the other. `next` is the `page[after]` of the one behind it."
    await at.show("GET", route, note, run=run, query="?page[size]=1")
    await at.show("GET", route, run=run, query="?page[size]=0")
    await at.show("GET", route, run=UNKNOWN)
    await at.show("GET", "/api/v1/runs/{run}/spans/{span}", run=run, span=f"{run}.1")
    await at.show("GET", "/api/v1/runs/{run}/spans/{span}", run=run, span="nothing")


async def _logs(at: Recorder) -> None:
    route, engine = "/api/v1/runs/{run}/logs", at.engine
    version = (await engine.post("/worker/v1/register", {"tasks": [TASK]}))["version"]
    await engine.trigger("send-email", {"to": "may"})
    hand = await engine.take(version)
    lines: list[Json] = [
        {"at": engine.clock.wall, "level": "info", "message": "Connected.", "attributes": {"host": "mx1.example"}},
        {"at": engine.clock.wall, "level": "warning", "message": "The mailbox is nearly full."},
    ]
    await engine.turn(version, report(hand, "logged", lines=lines), report(hand, "succeeded"), want=0)
    await at.show("GET", route, run=hand["id"])
    await at.show("GET", route, "", query="?after=0&level=warning", run=hand["id"])
    await at.show("GET", route, query="?level=loud", run=hand["id"])
    await at.show("GET", route, run=UNKNOWN)


async def _change(at: Recorder) -> None:
    engine = at.engine
    run = await engine.trigger("send-email", {"to": "kim"}, delay="1h")
    reschedule, cancel, replay = (
        "/api/v1/runs/{run}/reschedule",
        "/api/v2/runs/{run}/cancel",
        "/api/v1/runs/{run}/replay",
    )
    await at.show("POST", reschedule, "", {"delay": "2h"}, run=run)
    await at.show("POST", reschedule, "", {"delay": "2020-01-01"}, run=run)
    await at.show("POST", cancel, run=run)
    await at.show("POST", cancel, run=UNKNOWN)
    await at.show("POST", reschedule, "", {"delay": "2h"}, run=run)
    await at.show("POST", replay, "Without a body it is the same again.", run=run)
    await at.show(
        "POST", replay, "What is said anew replaces what was.", {"payload": {"to": "lee"}, "tags": []}, run=run
    )
    await at.show("POST", replay, run=UNKNOWN)
    await at.show("POST", replay, "", {"maxAttempts": 0}, run=run)


async def _explain(at: Recorder) -> None:
    route = "/api/v1/runs/{run}/explain"
    waiting = await at.engine.trigger("send-email", {"to": "kim"}, delay="1h")
    await at.show("GET", route, run=waiting)
    await at.show("GET", route, run=await at.engine.trigger("not-deployed-yet"))
    await at.show("GET", route, run=UNKNOWN)


async def _annotate(at: Recorder) -> None:
    tags, metadata = "/api/v1/runs/{run}/tags", "/api/v1/runs/{run}/metadata"
    run = await at.engine.trigger("send-email", {"to": "zoe"}, tags=["first"], metadata={"seen": 1})
    await at.show("POST", tags, "", {"tags": ["second", "first"]}, run=run)
    await at.show("POST", tags, "", {"tags": list("abcdefghi")}, run=run)
    operations: Json = [
        {"type": "increment", "key": "seen", "value": 1},
        {"type": "append", "key": "$.steps.done", "value": "resize"},
    ]
    await at.show("PUT", metadata, "", {"operations": operations}, run=run)
    await at.show("PUT", metadata, "", {"operations": [{"type": "explode", "key": "seen"}]}, run=run)
    await at.show("GET", metadata, run=run)
    await at.show("GET", metadata, run=UNKNOWN)


async def _keys(at: Recorder) -> None:
    route, body = "/api/v1/idempotencyKeys/{key}/reset", {"taskIdentifier": "send-email"}
    await at.show("POST", route, "", body, key="welcome-ada")
    await at.show("POST", route, "", body, key="welcome-ada")


async def _queues(at: Recorder) -> None:
    queue, named = "/api/v1/queues/{queue}", {"type": "custom"}
    override, limit = f"{queue}/concurrency/override", "/api/v1/concurrency"
    await at.show("GET", "/api/v1/queues", query="?page=1&perPage=2")
    await at.show("GET", "/api/v1/queues", query="?page=0")
    await at.show("GET", queue, queue="emails", query="?type=custom")
    await at.show("GET", queue, queue="emails", query="?type=task")
    await at.show("POST", f"{queue}/pause", "", named | {"action": "pause"}, queue="emails")
    await at.show("POST", f"{queue}/pause", "", named | {"action": "resume"}, queue="emails")
    await at.show("POST", f"{queue}/pause", "", named | {"action": "stop"}, queue="emails")
    await at.show("PUT", limit, "", {"concurrencyLimit": 50})
    await at.show("PUT", limit, "", {"concurrencyLimit": -1})
    await at.show("GET", limit)
    await at.show("POST", override, "", named | {"concurrencyLimit": 5}, queue="emails")
    await at.show("POST", override, "", named | {"concurrencyLimit": 51}, queue="emails")
    await at.show("POST", f"{queue}/concurrency/reset", "", named, queue="emails")
    await at.show("POST", f"{queue}/concurrency/reset", "", named, queue="nothing")


async def _ledger(at: Recorder) -> None:
    route = "/api/v1/ledger/events"
    await at.show("GET", route, query="?after=3&limit=2")
    await at.show("GET", route, "What keys did.", query="?actor=key:&type=RunTriggered&limit=1")
    await at.show("GET", route, "As CloudEvents.", query="?after=4&limit=1&format=cloudevents")
    await at.show("GET", route, query="?limit=5000")
    await at.show("GET", route, query="?type=RunCancelled")
    diff = "/api/v1/ledger/diff"
    await at.show("GET", diff, query="?from=4&to=6")
    await at.show("GET", diff, query="?from=6&to=4")
    await at.engine.service.verifier.step()
    assert await at.engine.service.follower.reached(at.engine.head, 5)
    await at.engine.service.comparer.step()
    await at.show("GET", "/api/v1/ledger/verified")


async def _worker(at: Recorder) -> None:
    register, turn = "/worker/v1/register", "/worker/v1/turn"
    registered = await at.show("POST", register, "", {"sdk": "mine/1.0", "tasks": [TASK]})
    await at.show("POST", register, "", {"tasks": []})
    body: dict[str, Json] = {"session": "worker_7f3a", "version": registered["version"], "sequence": 1, "want": 1}
    answer = await at.show("POST", turn, "Ask for a run.", body | {"received": 0, "waitMs": 20_000})
    (handed,) = answer["runs"]
    said = {"run": handed["id"], "token": handed["token"], "at": at.engine.clock.wall}
    reports = [said | {"kind": "started"}, said | {"kind": "succeeded", "output": {"sent": True}}]
    await at.show("POST", turn, "Report on it.", body | {"sequence": 2, "received": 1, "want": 0, "reports": reports})
    await at.show("POST", turn, "", body | {"sequence": 3, "version": "20200101.1"})
    await at.show("POST", turn, "", body | {"sequence": 3, "session": "me"})


async def _journal(at: Recorder) -> None:
    engine, turn, now = at.engine, "/worker/v1/turn", at.engine.clock.wall
    version = await engine.register(TASK)
    await engine.trigger("send-email", {"to": "ada"})
    body: dict[str, Json] = {"session": "worker_7f3b", "version": version, "sequence": 1}
    (handed,) = (await engine.post(turn, body | {"want": 1}))["runs"]
    said = {"run": handed["id"], "token": handed["token"], "at": now}
    reports: list[Json] = [
        said | {"kind": "started"},
        said | {"kind": "step_succeeded", "entry": {"index": 0, "name": "render"}, "output": {"subject": "Welcome"}},
        said | {"kind": "waiting", "entry": {"index": 1, "name": "wait", "after": 0}, "until": now + 2_000},
        said | {"kind": "blocked", "waits": [1]},
    ]
    note = "A step returned, and the code waits for two seconds."
    await at.show("POST", turn, note, body | {"sequence": 2, "received": 1, "reports": reports})
    waits = {"sequence": 3, "received": 2, "waits": [[handed["id"], handed["token"], [1]]]}
    await engine.advance(2_000)
    await at.show("POST", turn, "The time is over.", body | waits)
    for kind in ("worker", "api"):
        route = f"/{kind}/v1/runs/{{run}}/journal"
        await at.show("GET", route, run=handed["id"], query="?after=0" if kind == "worker" else "")
        await at.show("GET", route, run=UNKNOWN)


async def _deployments(at: Recorder) -> None:
    route = "/api/v1/deployments"
    promote = f"{route}/{{deployment}}/promote"
    await at.engine.post("/worker/v1/register", {"tasks": [TASK, {"id": "remind"}]})
    listed = (await at.engine.get(route))["data"]
    await at.show("GET", route, query="?page[size]=1")
    await at.show("GET", route, query="?status=DONE")
    await at.show("GET", f"{route}/current")
    await at.show("GET", f"{route}/latest")
    await at.show("GET", f"{route}/{{deployment}}", deployment=listed[-1]["id"])
    await at.show("GET", f"{route}/{{deployment}}", deployment="20200101.1")
    await at.show("POST", promote, deployment=listed[-1]["version"])
    await at.show("POST", promote, deployment="20200101.1")


async def _workers(at: Recorder) -> None:
    engine, route = at.engine, "/api/v1/workers"
    version = (await engine.post("/worker/v1/register", {"tasks": [TASK, {"id": "remind"}]}))["version"]
    turn = {"session": "worker_5d21", "version": version, "sequence": 1, "want": 9, "name": "shop-3/4711"}
    await engine.post("/worker/v1/turn", turn)
    await at.show("GET", route, query="?page=1&perPage=1")
    await at.show("GET", route, query="?asOf=1")


async def _connections(at: Recorder) -> None:
    route = "/api/v1/connections"
    one, credentials = f"{route}/{{name}}", {"credentials": {"token": "ghp_…"}}
    await at.show("PUT", one, "", credentials, name="github")
    await at.show("PUT", one, "", {"token": "ghp_…"}, name="github")
    await at.show("GET", route)
    await at.show("GET", one, name="github")
    await at.show("GET", one, name="slack")
    await at.show("POST", f"{route}/rotate")
    await at.show("DELETE", one, name="github")
    await at.show("DELETE", one, name="github")


async def _jobs(at: Recorder) -> None:
    engine, route = at.engine, "/v1/jobs"
    one, request = f"{route}/{{job}}", {"url": "https://example.com/report", "timeout_seconds": 60}
    body = {"name": "Daily report", "kind": "cron", "schedule": {"cron": "0 9 * * 1-5"}, "request": request}
    job = (await at.show("POST", route, "", body))["id"]
    await at.show("POST", route, "", body | {"schedule": {"cron": "0 9 30 2 *"}})
    await at.show("POST", route, "", body | {"request": {"url": "https://me:hush@example.com"}})
    timing: Json = {"kind": "cron", "schedule": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, "count": 2}
    await at.show("POST", f"{route}/preview", "", timing)
    await at.show("POST", f"{route}/preview", "", timing | {"schedule": {"cron": "30 2 * *"}})
    lines = "# Renew the cache\n*/5 * * * * curl -fsS -X POST https://example.com/cache\n0 3 * * * /usr/bin/backup\n"
    await at.show("POST", f"{route}/import", "", {"crontab": lines, "dry_run": True})
    await at.show("GET", route, query="?state=active")
    await at.show("GET", one, job=job)
    await at.show("GET", one, job="job_0123")
    await at.show("PATCH", one, "", {"schedule": {"cron": "0 10 * * 1-5"}}, job=job)
    await at.show("POST", f"{one}/pause", job=job)
    await at.show("POST", f"{one}/resume", job=job)
    execution = (await at.show("POST", f"{one}/run-now", job=job))["execution_id"]
    await at.show("GET", f"{one}/executions", query="?limit=10", job=job)
    await at.show("GET", "/v1/executions", query="?status=queued&job_name=report&sort=created_at")
    await at.show("GET", "/v1/executions", query="?status=done")
    await _attempt(at)
    await at.show("GET", "/v1/executions/{execution}", execution=execution)
    await at.show("GET", "/v1/executions/{execution}", execution=UNKNOWN)
    await at.show("POST", "/v1/executions/{execution}/replay", execution=execution)
    hook = {"name": "On push", "kind": "webhook_trigger", "request": request, "webhook_secret": "open sesame"}
    token = (await engine.client.post(route, json=hook)).json()["webhook_token"]
    told = {"x-webhook-secret": "open sesame"}
    await at.show("POST", "/v1/triggers/{token}", headers=told, token=token)
    await at.show("POST", "/v1/triggers/{token}", token=token)
    await at.show("DELETE", one, job=job)


async def _attempt(at: Recorder) -> None:
    """Make the attempt of the execution that waits, with a target that is only told of."""
    found = Found(
        AttemptStatus.SUCCESS,
        184,
        200,
        body_preview='{"sent": 12}',
        bytes_received=12,
        response_headers={"content-type": "application/json"},
        timings=Timings(3, 21, 44, 180, 184),
    )
    session = {"session": "worker_7f3c", "version": "builtin", "sequence": 1, "want": 1}
    (handed,) = (await at.engine.post("/worker/v1/turn", session))["runs"]
    said = report(handed, "succeeded", at=at.engine.clock.wall, output=json.decode(json.encode(found)))
    await at.engine.post("/worker/v1/turn", session | {"sequence": 2, "received": 1, "want": 0, "reports": [said]})


async def _secrets(at: Recorder) -> None:
    route = "/v1/secrets"
    one = f"{route}/{{name}}"
    await at.show("POST", route, "", {"name": "api-token", "value": "hush"})
    await at.show("POST", route, "", {"name": "api-token", "value": "hush hush"})
    await at.show("PUT", one, "", {"value": "hush hush"}, name="api-token")
    await at.show("GET", route)
    await at.show("GET", one, name="api-token")
    await at.show("DELETE", one, name="api-token")
    await at.show("DELETE", one, name="api-token")


async def _alerts(at: Recorder) -> None:
    route = "/v1/alerts"
    one = f"{route}/{{channel}}"
    webhook = {"name": "ops", "kind": "webhook", "url": "https://example.com/alerts", "secret": "signing"}
    made = await at.show("POST", route, "", webhook)
    mail = {"name": "ada", "kind": "email", "to": ["ada@example.com"], "on": ["failure"], "tasks": ["send-email"]}
    other = await at.show("POST", route, "", mail)
    await at.show("POST", route, "", {"name": "ops", "kind": "webhook"})
    await at.show("GET", route)
    await at.show("GET", one, channel=made["id"])
    await at.show("POST", f"{one}/test", channel=made["id"])
    for channel in (made["id"], other["id"], other["id"]):
        await at.show("DELETE", one, channel=channel)


async def _environments(at: Recorder) -> None:
    route, as_admin = "/api/v1/environments", {"authorization": f"Bearer {ADMIN_KEY}"}
    keys = f"{route}/{{slug}}/keys"
    body = {"slug": "live", "type": "PRODUCTION", "project": "shop", "concurrencyLimit": 100}
    await at.show("POST", route, "", body, headers=as_admin)
    await at.show("POST", route, "", body, headers=as_admin)
    await at.show("POST", route, "", body)
    await at.show("GET", route, headers=as_admin)
    made = await at.show("POST", keys, slug="dev")
    await at.show("POST", keys, slug="live")
    await at.show("GET", keys, slug="dev")
    await at.show("DELETE", f"{keys}/{{key}}", slug="dev", key=made["id"])
    await at.show("DELETE", f"{keys}/{{key}}", slug="dev", key=made["id"])
    (last,) = (await at.engine.get(keys.format(slug="dev")))["data"]
    await at.show("DELETE", f"{keys}/{{key}}", slug="dev", key=last["id"])


async def _packets(at: Recorder) -> None:
    create, transfer = "/api/v2/packets/{path}", "/packets/v1/{stream}/{name}"
    made = await at.show("PUT", create, path="trigger%2Fpacket_1%2Fpayload.json")
    packet, query = made["storagePath"], "?" + made["presignedUrl"].partition("?")[2]
    large, given = b'{"json":{"text":"\xe2\x80\xa6"}}', {"stream": packet, "name": "payload"}
    typed = {"content-type": "application/super+json"}
    await at.show("PUT", transfer, "", large, query=query, headers=typed, **given)
    await at.show("PUT", transfer, "", large, query="?expires=1&signature=0", headers=typed, **given)
    body = {"payload": packet, "options": {"payloadType": "application/store"}}
    run = (await at.engine.post("/api/v1/tasks/send-email/trigger", body))["id"]
    found = await at.show("GET", "/api/v1/packets/{packet}", packet=packet)
    await at.show("GET", "/api/v1/packets/{packet}", packet="packet_0")
    await at.show("GET", transfer, query="?" + found["presignedUrl"].partition("?")[2], **given)
    await at.show("GET", "/api/v1/runs/{run}/packets/{name}", run=run, name="payload")
    await at.show("GET", "/api/v1/runs/{run}/packets/{name}", run=run, name="output")


async def _public_tokens(at: Recorder) -> None:
    make = "/api/v1/auth/public-tokens"
    await at.show("POST", "/api/v1/auth/jwt/claims")
    body = {"scopes": ["read:tags:newsletter"], "expirationTime": "2h"}
    token = (await at.show("POST", make, "", body))["token"]
    await at.show("POST", make, "", {"scopes": []})
    closed = {"authorization": f"Bearer {token}"}
    await at.show("POST", "/api/v1/auth/jwt/claims", headers=closed)


async def _variables(at: Recorder) -> None:
    route, project = "/api/v1/projects/{project}/envvars/{slug}", {"project": "default", "slug": "dev"}
    one, secret = f"{route}/{{name}}", {"name": "TOKEN", "value": "5ec7e7", "isSecret": True}
    await at.show("POST", route, "", {"name": "GREETING", "value": "Hello"}, **project)
    await at.show("POST", route, "", secret, **project)
    await at.show("POST", route, "", {"name": "not a name", "value": ""}, **project)
    body = {"variables": {"GREETING": "Hi", "REGION": "eu"}, "override": False}
    await at.show("POST", f"{route}/import", "", body, **project)
    await at.show("PUT", one, "", {"value": "Good day"}, name="GREETING", **project)
    await at.show("PUT", one, "", {"value": "x"}, name="NOTHING", **project)
    await at.show("GET", route, **project)
    await at.show("GET", route, project="default", slug="prod")
    await at.show("GET", one, name="TOKEN", **project)
    await at.show("GET", "/worker/v1/variables")
    await at.show("DELETE", one, name="TOKEN", **project)
    await at.show("DELETE", one, name="TOKEN", **project)


async def _realtime(at: Recorder) -> None:
    run = await at.engine.trigger("send-email", {"to": "ada"}, delay="1h", tags=["late"])
    batch = (await at.engine.post("/api/v1/tasks/send-email/batch", {"items": [{"options": {"delay": "1h"}}]}))[
        "batchId"
    ]
    await at.show(
        "GET", "/realtime/v1/runs/{run}", run=run, query="?offset=-1&skipColumns=payload,output,metadata,error"
    )
    await at.show("GET", "/realtime/v1/runs/{run}", run=UNKNOWN)
    few = "payload,output,metadata,error,startedAt,expiredAt,idempotencyKey,ttl,runTags"
    at.engine.client.headers["x-trigger-api-version"] = "2025-07-16"
    await at.show("GET", "/realtime/v1/runs", query=f"?tags=late&offset=-1&skipColumns={few}")
    await at.show("GET", "/realtime/v1/runs")
    await at.show("GET", "/realtime/v1/batches/{batch}", batch=batch, query=f"?offset=-1&skipColumns={few}")
    await at.show("GET", "/realtime/v1/batches/{batch}", batch="batch_0")
    del at.engine.client.headers["x-trigger-api-version"]


async def _streams(at: Recorder) -> None:
    engine = at.engine
    run = await engine.trigger("send-email", {"to": "ada"}, delay="1h")
    await engine.post(f"/api/v2/runs/{run}/cancel")
    await at.show("GET", "/api/v1/runs/{run}/stream", run=run)
    await at.show("GET", "/api/v1/runs/{run}/stream", run=UNKNOWN)
    await at.show("GET", "/api/v1/runs/stream", query=f"?run={run}")
    await at.show("GET", "/api/v1/runs/stream")
    # A stream of all that happens ends with the engine alone.
    engine.service.watching.close()
    await at.show("GET", "/api/v1/ledger/stream", query=f"?after={engine.head - 1}")
    await at.show("GET", "/api/v1/ledger/stream", headers={"last-event-id": "yesterday"})


async def _health(at: Recorder) -> None:
    await at.engine.listed()
    await at.show("GET", "/livez")
    await at.show("GET", "/readyz")
    await at.show("GET", "/metrics", "The answer has many more lines.")


def _answer_of(response: httpx.Response) -> Json:
    kind = response.headers["content-type"]
    if kind in {"application/json", "application/super+json"}:
        return response.json()
    return response.text.strip() if kind.startswith("text/event-stream") else _excerpt(response.text)


def _excerpt(metrics: str) -> str:
    """Some lines that are the same each time."""
    lines = [line for line in metrics.splitlines() if "runfold_runs" in line and not line.endswith(" 0.0")]
    return "\n".join(lines[:5])


async def _schedules(at: Recorder) -> None:
    route = "/api/v1/schedules"
    body = {
        "task": "send-email",
        "cron": "0 9 * * 1-5",
        "timezone": "Europe/Berlin",
        "deduplicationKey": "reports-of-ada",
        "externalId": "ada",
        "overlap": "skip",
    }
    made = await at.show("POST", route, "", body)
    every = {"task": "send-email", "every": 30, "jitter": "10s", "payload": {"to": "ada"}, "options": {"tags": ["due"]}}
    often = await at.show("POST", route, "Every half an hour, with a payload of its own.", every)
    await at.show("POST", route, "", {"task": "send-email", "cron": "30 2 30 2 *"})
    await at.show("POST", route, "", {"task": "send-email", "cron": "0 9 * * *", "timezone": "Mars"})
    await at.show("GET", route, query="?page=1&perPage=10")
    of_one = "/api/v1/schedules/{schedule}"
    await at.show("GET", of_one, schedule=made["id"])
    await at.show("GET", of_one, schedule="sched_00000000000000000000000000000000")
    await at.show("PUT", of_one, "", body | {"cron": "0 8 * * 1-5"}, schedule=made["id"])
    await at.show("POST", f"{of_one}/deactivate", schedule=often["id"])
    await at.engine.advance(3_600_000)
    await at.show("POST", f"{of_one}/activate", schedule=often["id"])
    await at.show("GET", f"{of_one}/ticks", schedule=often["id"])
    await at.show("POST", f"{of_one}/run-now", schedule=often["id"])
    span = {"from": "2027-01-15T00:00:00Z", "to": "2027-01-16T00:00:00Z"}
    await at.show("POST", f"{of_one}/backfill", "", span, schedule=often["id"])
    for schedule in (made["id"], often["id"]):
        await at.engine.delete(f"{route}/{schedule}")
    third = await at.engine.post(route, {"task": "send-email", "every": 60})
    await at.show("DELETE", of_one, schedule=third["id"])
    zones = await at.show("GET", "/api/v1/timezones", query="?excludeUtc=true")
    zones["timezones"][3:] = ["…"]


async def _named_events(at: Recorder) -> None:
    engine, route = at.engine, "/api/v1/events"
    event = {"name": "user.created", "filter": {"plan": ["pro"]}}
    await engine.post("/worker/v1/register", {"tasks": [TASK | {"event": event}]})
    body = {"name": "user.created", "id": "user-1", "payload": {"name": "Ada", "plan": "pro"}, "source": "shop"}
    await at.show("POST", route, "", body)
    await at.show("POST", route, "The same id again: what there is.", body | {"payload": None})
    later = {"event": {"name": "trial.ends", "id": "trial-1"}, "options": {"deliverAfter": 86_400}}
    await at.show("POST", route, "Trigger.dev v2's envelope, for tomorrow.", later)
    await at.show("POST", route, "", {"payload": 1})
    await at.show("POST", f"{route}/bulk", "", {"events": [{"name": "a", "id": "1"}, {"name": "b", "id": "2"}]})
    await at.show("GET", route, query="?filter[undelivered]=true")
    await at.show("GET", route, query="?filter[undelivered]=perhaps")
    await at.show("POST", f"{route}/bulk", "", {"events": [{"name": "a"}, {"id": "3"}]})
    await at.show("POST", f"{route}/{{event}}/cancel", event="trial-1")
    await at.show("POST", f"{route}/{{event}}/cancel", event="user-1")
    await at.show("GET", f"{route}/{{event}}", event="user-1")
    await at.show("GET", f"{route}/{{event}}", event="user-2")


PARTS: tuple[Callable[[Recorder], Awaitable[None]], ...] = (
    *(_trigger, _batch, _batches, _bulk_actions, _list, _retrieve, _result, _events, _change, _explain, _annotate),
    *(_keys, _queues, _ledger, _worker),
    *(
        _deployments,
        _workers,
        _connections,
        _jobs,
        _secrets,
        _alerts,
        _environments,
        _tokens,
        _journal,
        _trace,
        _logs,
        _schedules,
    ),
    *(_health, _packets, _public_tokens, _variables, _realtime, _streams, _named_events),
    *(_erasures, _sinks),
)
