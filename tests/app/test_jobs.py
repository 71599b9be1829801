"""`/v1/jobs`: what is saved, what is refused, and what starts executions."""

from typing import Any

import pytest

from app.http_jobs import jobs
from app.service import Service
from app.web import job_specs
from domain.errors import Busy
from domain.events import JobSpec
from domain.requests import HttpRequest
from tests.app.calling import EXECUTIONS, JOBS, ended, execute, save, start
from tests.app.explaining import explained
from tests.app.harness import START, Engine, Log, environment, until
from tests.targets import Target

URL = "https://example.com/hook"
MINUTE_MS = 60_000


async def create(engine: Engine, **body: Any) -> Any:
    asked = {"name": "ping", "kind": "one_time", "request": {"url": URL}} | body
    response = await engine.client.post(JOBS, json=asked)
    assert response.status_code == 201, response.text
    return response.json()


async def executions(engine: Engine, job: str, **query: str) -> list[Any]:
    found: list[Any] = (await engine.get(f"{JOBS}/{job}/executions", order="asc", **query))["data"]
    return found


async def refused(engine: Engine, body: dict[str, Any], path: str = JOBS, method: str = "POST") -> tuple[int, str]:
    before = engine.head
    response = await engine.client.request(method, path, json=body)
    error = response.json()["error"]
    assert engine.head == before, "a refused request writes nothing"
    assert error["message"].endswith(".")
    return response.status_code, error["message"]


async def test_a_job_is_shown_as_it_was_saved_with_what_the_document_says_by_itself(engine: Engine) -> None:
    job = await create(engine, kind="cron", schedule={"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin"})

    assert job == await engine.get(f"{JOBS}/{job['id']}")
    assert job == {
        "id": job["id"],
        "name": "ping",
        "kind": "cron",
        "state": "active",
        "schedule": {"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin", "overlap": "allow"},
        "request": {
            "url": URL,
            "method": "GET",
            "headers": {},
            "body": None,
            "timeout_seconds": 30,
            "success_statuses": [200, 201, 202, 204],
            "max_redirects": 0,
            "sign_with": [],
        },
        "retry_policy": {
            "max_attempts": 3,
            "retry_on_statuses": [429, 500, 502, 503, 504],
            "backoff_ms": 250,
            "backoff_factor": 2.0,
            "backoff_max_ms": 3_600_000,
        },
        "pause_after_failures": None,
        "pause_on_gone": False,
        "callbacks": [],
        "rate_limit": None,
        "consecutive_failures": 0,
        "paused_reason": None,
        "paused_by_execution": None,
        "next_run_at": "2027-01-18T08:00:00.000Z",
        "created_at": START,
        "updated_at": START,
    }
    assert job["id"].startswith("job_")


async def test_a_recurring_job_runs_every_so_many_minutes_from_its_creation_on(engine: Engine) -> None:
    job = await create(engine, kind="recurring", schedule={"every_n_minutes": 5})

    await engine.advance(11 * MINUTE_MS)

    found = await executions(engine, job["id"])
    assert [each["scheduled_for"] for each in found] == ["2027-01-15T08:05:00.000Z", "2027-01-15T08:10:00.000Z"]
    assert {each["source"] for each in found} == {"schedule"}
    assert (await engine.get(f"{JOBS}/{job['id']}"))["next_run_at"] == "2027-01-15T08:15:00.000Z"


async def test_a_cron_job_runs_by_the_clocks_of_its_zone_and_says_when_it_was_planned(
    engine: Engine, target: Target
) -> None:
    execute(engine)
    request = {"url": target.url()}
    job = await create(
        engine, kind="cron", request=request, schedule={"cron": "1 9 * * *", "timezone": "Europe/Berlin"}
    )
    await engine.advance(MINUTE_MS)

    (planned,) = await executions(engine, job["id"])
    done = await ended(engine, planned["id"])

    (asked,) = target.asked
    assert (done["status"], done["source"], done["scheduled_for"]) == (
        "succeeded",
        "schedule",
        "2027-01-15T08:01:00.000Z",
    )
    assert asked.headers["x-cron-service-scheduled-for"] == "2027-01-15T08:01:00.000Z"
    assert asked.headers["x-cron-service-job-id"] == job["id"]


async def test_a_scheduled_job_runs_once_and_has_completed(engine: Engine) -> None:
    job = await create(engine, kind="scheduled", schedule={"run_at": "2027-01-15T08:01:00Z"})
    assert (job["state"], job["next_run_at"]) == ("active", "2027-01-15T08:01:00.000Z")

    await engine.advance(10 * MINUTE_MS)

    found = await engine.get(f"{JOBS}/{job['id']}")
    assert (found["state"], found["next_run_at"]) == ("completed", None)
    assert [each["scheduled_for"] for each in await executions(engine, job["id"])] == ["2027-01-15T08:01:00.000Z"]


async def test_a_one_time_job_runs_at_once_and_has_completed(engine: Engine) -> None:
    job = await create(engine)

    assert (job["state"], job["schedule"]) == ("completed", None)
    assert [each["source"] for each in await executions(engine, job["id"])] == ["manual"]


async def test_a_draft_waits_until_it_is_activated(engine: Engine) -> None:
    once = await create(engine, state="draft")
    timed = await create(engine, kind="recurring", schedule={"every_n_minutes": 1}, state="draft")
    await engine.advance(3 * MINUTE_MS)
    assert [await executions(engine, each["id"]) for each in (once, timed)] == [[], []]

    resumed = [await engine.post(f"{JOBS}/{each['id']}/resume") for each in (once, timed)]
    await engine.advance(MINUTE_MS)

    assert [each["state"] for each in resumed] == ["completed", "active"]
    assert [len(await executions(engine, each["id"])) for each in (once, timed)] == [1, 1]


async def test_a_paused_job_starts_nothing_and_makes_up_for_nothing(engine: Engine) -> None:
    job = await create(engine, kind="recurring", schedule={"every_n_minutes": 1})
    paused = await engine.post(f"{JOBS}/{job['id']}/pause")
    await engine.advance(5 * MINUTE_MS + 1)
    resumed = await engine.post(f"{JOBS}/{job['id']}/resume")

    assert (paused["state"], paused["next_run_at"]) == ("paused", None)
    assert resumed["state"] == "active"
    await engine.advance(0)
    assert await executions(engine, job["id"]) == []
    await engine.advance(MINUTE_MS)
    assert len(await executions(engine, job["id"])) == 1


async def test_pausing_and_resuming_twice_is_harmless(engine: Engine) -> None:
    job = await create(engine, kind="recurring", schedule={"every_n_minutes": 1})
    for verb in ("pause", "resume"):
        await engine.post(f"{JOBS}/{job['id']}/{verb}")
        before = engine.head
        await engine.post(f"{JOBS}/{job['id']}/{verb}")
        assert engine.head == before


async def test_a_changed_job_does_something_else_from_then_on(engine: Engine) -> None:
    job = await create(engine, kind="recurring", schedule={"every_n_minutes": 1}, retry_policy={"max_attempts": 7})
    changes = {"name": "pong", "schedule": {"every_n_minutes": 10}, "retry_policy": {"backoff_ms": 1_000}}

    changed = (await engine.client.patch(f"{JOBS}/{job['id']}", json=changes)).json()
    await engine.advance(10 * MINUTE_MS)

    assert (changed["name"], changed["request"]["url"]) == ("pong", URL)
    assert (changed["retry_policy"]["max_attempts"], changed["retry_policy"]["backoff_ms"]) == (7, 1_000)
    (found,) = await executions(engine, job["id"])
    assert (found["job_name"], found["scheduled_for"]) == ("pong", "2027-01-15T08:10:00.000Z")


async def test_a_deleted_job_is_gone_and_its_executions_stay(engine: Engine) -> None:
    job = await create(engine, kind="recurring", schedule={"every_n_minutes": 1})
    await engine.advance(MINUTE_MS)

    assert await engine.delete(f"{JOBS}/{job['id']}") == {"id": job["id"], "deleted": True}
    await engine.advance(5 * MINUTE_MS)

    assert len(await executions(engine, job["id"])) == 1
    assert (await engine.client.get(f"{JOBS}/{job['id']}")).status_code == 404
    assert (await engine.client.post(f"{JOBS}/{job['id']}/run-now")).status_code == 404
    assert await engine.get(JOBS) == {"data": [], "total": 0}


async def test_jobs_are_listed_by_their_state_newest_first(engine: Engine) -> None:
    done = await create(engine, name="a")
    active = await create(engine, name="b", kind="recurring", schedule={"every_n_minutes": 1})

    page = await engine.get(JOBS)
    assert [each["id"] for each in page["data"]] == [active["id"], done["id"]]
    assert page["data"][0] == active
    assert [each["id"] for each in (await engine.get(JOBS, state="completed"))["data"]] == [done["id"]]
    assert [each["id"] for each in (await engine.get(JOBS, limit=1, offset=1))["data"]] == [done["id"]]
    assert (await engine.client.get(JOBS, params={"state": "deleted"})).status_code == 400


async def test_a_job_is_run_now_whatever_its_state(engine: Engine) -> None:
    job = await create(engine, kind="recurring", schedule={"every_n_minutes": 1}, state="draft")

    await start(engine, job)

    assert [each["source"] for each in await executions(engine, job["id"])] == ["manual"]


async def test_a_webhook_starts_an_execution_without_a_key(engine: Engine, target: Target) -> None:
    execute(engine)
    job = await save(engine, target.url(), webhook_secret="open sesame")
    path = f"/v1/triggers/{job['webhook_token']}"
    assert (job["webhook_url"], job["webhook_secret_configured"]) == (f"http://engine{path}", True)
    assert "open sesame" not in str(await engine.get("/api/v1/ledger/events", limit=1_000))

    wrong = await engine.client.post(path, headers={"authorization": "", "x-webhook-secret": "x"})
    right = await engine.client.post(path, headers={"authorization": "", "x-webhook-secret": "open sesame"})

    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "unauthorized")
    assert (right.status_code, right.json()) == (200, {"received": True})
    (found,) = await executions(engine, job["id"])
    assert (await ended(engine, found["id"]))["source"] == "webhook"


async def test_a_stranger_does_not_find_out_which_webhooks_there_are(engine: Engine, target: Target) -> None:
    job = await save(engine, target.url())
    token: str = job["webhook_token"]
    before = engine.head
    for wrong in ("x", token[:-1], token[:-1] + "g", "0" * 64, token + "0"):
        response = await engine.client.post(f"/v1/triggers/{wrong}", headers={"authorization": ""})
        assert (response.status_code, response.json()) == (200, {"received": True})

    assert engine.head == before
    await engine.post(f"{JOBS}/{job['id']}/pause")
    await engine.client.post(f"/v1/triggers/{token}")
    assert await executions(engine, job["id"]) == []


async def test_another_environment_has_jobs_of_its_own(engine: Engine) -> None:
    other = await environment(engine, "stg")
    job = await create(engine)
    (execution,) = await executions(engine, job["id"])

    for path in (f"{JOBS}/{job['id']}", f"{JOBS}/{job['id']}/executions", f"{EXECUTIONS}/{execution['id']}"):
        assert (await other.client.get(path)).status_code == 404
    for path in (f"{JOBS}/{job['id']}/pause", f"{JOBS}/{job['id']}/run-now", f"{EXECUTIONS}/{execution['id']}/replay"):
        assert (await other.client.post(path)).status_code == 404
    assert (await other.get(JOBS))["data"] == (await other.get(EXECUTIONS))["data"] == []


async def test_a_job_that_is_run_now_twice_by_one_request_is_executed_once(engine: Engine) -> None:
    job = await save(engine, URL)
    other = await save(engine, URL)

    async def run_now(name: str, key: str) -> str:
        headers = {"x-trigger-request-idempotency-key": key}
        response = await engine.client.post(f"{JOBS}/{name}/run-now", headers=headers)
        assert response.status_code == 201, response.text
        return str(response.json()["execution_id"])

    first = await run_now(job["id"], "a")
    before = engine.head
    assert await run_now(job["id"], "a") == first
    assert engine.head == before
    assert len({first, await run_now(job["id"], "b"), await run_now(other["id"], "a")}) == 3


async def test_the_schedule_of_a_job_is_changed_through_the_job_alone(engine: Engine) -> None:
    job = await create(engine, kind="recurring", schedule={"every_n_minutes": 1})
    events = (await engine.get("/api/v1/ledger/events", limit=1_000))["events"]
    (schedule,) = [each["id"] for each in events if each["type"] == "ScheduleCreated"]

    assert schedule == f"sched_{job['id'].removeprefix('job_')}"


async def test_the_schedule_of_a_job_that_is_run_now_starts_an_execution_of_it(engine: Engine) -> None:
    job = await create(engine, kind="recurring", schedule={"every_n_minutes": 1})
    await engine.client.patch(f"{JOBS}/{job['id']}", json={"name": "Renamed"})
    await engine.post(f"{JOBS}/{job['id']}/pause")
    run = (await engine.post(f"/api/v1/schedules/sched_{job['id'].removeprefix('job_')}/run-now"))["id"]

    (found,) = await executions(engine, job["id"])
    assert (found["id"], found["source"], found["job_name"]) == (run, "manual", "Renamed")
    assert found["scheduled_for"] == found["created_at"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"request": {"url": "ftp://example.com"}}, "begins with http:// or https://"),
        ({"request": {"url": "http://user:pw@example.com"}}, "holds a user or password"),
        ({"request": {"url": "https://example.com/secret://a"}}, "refers to a secret"),
        ({"request": {"url": URL, "method": "TRACE"}}, "request.method is one of GET, POST, PUT, PATCH, DELETE"),
        ({"request": {"url": URL, "body": "x"}}, "A GET has no body"),
        ({"request": {"url": URL, "headers": {"Host": "a"}}}, "The header Host is set by Runfold"),
        ({"request": {"url": URL, "headers": {"a": "b\r\nc: d"}}}, "The value of header a cannot be sent"),
        ({"request": {"url": URL, "headers": {"a": "1", "A": "2"}}}, "A header is there twice"),
        ({"request": {"url": URL, "timeout_seconds": 0}}, "request.timeout_seconds is 1 to 300"),
        ({"request": {"url": URL, "timeout_seconds": 301}}, "request.timeout_seconds is 1 to 300"),
        ({"request": {"url": URL, "success_statuses": []}}, "request.success_statuses is a list of 1 to 100"),
        ({"request": {"url": URL, "success_statuses": [600]}}, "request.success_statuses is a list of 1 to 100"),
        ({"request": {"url": URL, "max_redirects": 11}}, "request.max_redirects is 0 to 10"),
        ({"request": {"url": URL, "sign_with": ["a b"]}}, "request.sign_with is a list of at most 3 names"),
        ({"retry_policy": {"max_attempts": 0}}, "retry_policy.max_attempts is 1 to 100"),
        ({"retry_policy": {"backoff_ms": -1}}, "0 <= backoff_ms <= backoff_max_ms"),
        ({"retry_policy": {"backoff_factor": 0.5}}, "retry_policy.backoff_factor is 1 to 10"),
        ({"retry_policy": {"retry_on_statuses": [1]}}, "retry_policy.retry_on_statuses is a list of 0 to 100"),
        ({"name": ""}, "A job name has 1 to 128 printable characters"),
        ({"schedule": {"cron": "* * * * *"}}, "A job of the kind one_time has no schedule"),
        ({"kind": "cron"}, "A job of the kind cron has schedule.cron and no other time"),
        ({"kind": "cron", "schedule": {"cron": "* * * *"}}, "five fields"),
        ({"kind": "cron", "schedule": {"cron": "0 0 30 2 *"}}, "never"),
        ({"kind": "cron", "schedule": {"cron": "* * * * *", "timezone": "Mars/Base"}}, "Mars/Base"),
        ({"kind": "cron", "schedule": {"cron": "* * * * *", "timezone": "Mars/Base"}, "state": "draft"}, "Mars/Base"),
        ({"kind": "recurring", "schedule": {"every_n_minutes": 1_441}}, "schedule.every_n_minutes is 1 to 1440"),
        ({"kind": "recurring", "schedule": {"every_n_minutes": 5, "timezone": "UTC"}}, "for cron expressions"),
        ({"kind": "scheduled", "schedule": {"run_at": START}}, "schedule.run_at has passed"),
        ({"kind": "scheduled", "schedule": {"run_at": "soon"}}, "ISO 8601"),
        ({"webhook_secret": "x"}, "webhook_secret is for jobs of the kind webhook_trigger"),
    ],
)
async def test_what_cannot_be_done_is_refused_when_it_is_saved(
    engine: Engine, more: dict[str, Any], reason: str
) -> None:
    status, sentence = await refused(engine, {"name": "ping", "kind": "one_time", "request": {"url": URL}} | more)

    assert status == 422
    assert reason in sentence


async def test_a_job_keeps_its_kind_and_what_has_completed_stays_so(engine: Engine) -> None:
    done = await create(engine)
    hook = await create(engine, kind="webhook_trigger", request={"url": URL})

    late = await refused(engine, {"name": "again"}, f"{JOBS}/{done['id']}", "PATCH")
    timed = await refused(engine, {"schedule": {"cron": "* * * * *"}}, f"{JOBS}/{hook['id']}", "PATCH")

    assert late == (400, f"Job {done['id']} has completed: save another one, or replay its execution.")
    assert timed == (422, "A job of the kind webhook_trigger has no schedule.")
    assert (await engine.client.post(f"{JOBS}/{done['id']}/resume")).status_code == 400


@pytest.mark.parametrize("task", ["runfold/http", "runfold/anything"])
async def test_the_tasks_of_the_engine_are_its_own(engine: Engine, task: str) -> None:
    trigger = await engine.refused("POST", f"/api/v1/tasks/{task}/trigger", 422, json={"payload": {}})
    register = await engine.refused("POST", "/worker/v1/register", 422, json={"tasks": [{"id": task}]})

    assert trigger.startswith("Tasks whose ids begin with runfold/ are Runfold's own")
    assert register.startswith(f"The id of task {task} begins with runfold/")


async def test_a_replay_of_the_run_is_an_execution_too(engine: Engine) -> None:
    job = await create(engine)
    (first,) = await executions(engine, job["id"])

    again = await engine.post(f"/api/v1/runs/{first['id']}/replay")

    found = await executions(engine, job["id"], status="queued")
    assert [(each["id"], each["source"]) for each in found] == [(first["id"], "manual"), (again["id"], "replay")]


async def test_a_large_body_is_sent_whole(engine: Engine, target: Target) -> None:
    execute(engine)
    request = {"method": "POST", "body": "x" * 200_000, "headers": {"Content-Type": "text/x"}}
    job = await save(engine, target.url(), request=request)

    await ended(engine, await start(engine, job))

    assert target.asked[0].body == b"x" * 200_000
    await until(lambda: target.asked[0].headers["content-type"] == "text/x")


async def test_the_next_times_are_told_before_anything_is_saved(engine: Engine) -> None:
    before = engine.head
    asked = {"kind": "cron", "schedule": {"cron": "30 2 28 3 *", "timezone": "Europe/Berlin"}, "count": 1}

    (gap,) = (await engine.post(f"{JOBS}/preview", asked))["runs"]
    every = await engine.post(f"{JOBS}/preview", {"kind": "recurring", "schedule": {"every_n_minutes": 5}, "count": 2})
    once = await engine.post(f"{JOBS}/preview", {"kind": "scheduled", "schedule": {"run_at": "2027-02-01T00:00:00Z"}})

    assert (gap["at"], gap["timezone"], gap["rule"]) == ("2027-03-28T01:00:00.000Z", "Europe/Berlin", "gap")
    assert [each["at"] for each in every["runs"]] == ["2027-01-15T08:05:00.000Z", "2027-01-15T08:10:00.000Z"]
    assert [each["at"] for each in once["runs"]] == ["2027-02-01T00:00:00.000Z"]
    assert engine.head == before


CRONTAB = """\
MAILTO=me@example.com
CRON_TZ=Europe/Berlin

# Renew the cache
*/5 * * * * curl -fsSL -m 10 https://example.com/cache > /dev/null 2>&1
@daily /usr/bin/curl -X PUT -H 'X-A: b c' -H "Authorization: secret://t" --data '{"a": 1}' --retry 4 example.com/x
0 3 * * 1 wget -qO- --header='X-A: b' --timeout=20 https://example.com/w
15 4 * * * https://example.com/bare
0 4 * * * /usr/bin/backup --all
0 5 * * * curl https://example.com | mail me
0 6 * * * curl -k https://example.com
0 7 * * * curl https://a.example https://b.example
0 25 * * * curl https://example.com
@reboot curl https://example.com
0 9 * * * curl "https://example.com
61
"""


async def test_a_crontab_becomes_jobs_where_its_lines_call_urls(engine: Engine) -> None:
    told = await engine.post(f"{JOBS}/import", {"crontab": CRONTAB})

    found = [await engine.get(f"{JOBS}/{each['id']}") for each in told["jobs"]]
    renew, put, wget, bare = found
    assert (renew["name"], renew["schedule"]["cron"], renew["schedule"]["timezone"]) == (
        "Renew the cache",
        "*/5 * * * *",
        "Europe/Berlin",
    )
    assert (renew["request"]["url"], renew["request"]["timeout_seconds"], renew["request"]["max_redirects"]) == (
        "https://example.com/cache",
        10,
        10,
    )
    assert (put["request"]["method"], put["request"]["url"], put["request"]["body"]) == (
        "PUT",
        "http://example.com/x",
        '{"a": 1}',
    )
    assert put["request"]["headers"]["Authorization"] == "secret://t"
    assert (put["schedule"]["cron"], put["retry_policy"]["max_attempts"]) == ("0 0 * * *", 5)
    assert (wget["request"]["headers"], wget["request"]["timeout_seconds"]) == ({"X-A": "b"}, 20)
    assert bare["request"]["url"] == "https://example.com/bare"
    reasons = {each["line"]: each["reason"] for each in told["skipped"]}
    assert reasons.keys() == {9, 10, 11, 12, 13, 14, 15, 16}
    assert reasons[9] == "it runs backup, and jobs call URLs: curl and wget are understood"
    assert reasons[10] == "it runs several commands, and a job makes one call"
    assert reasons[11] == "curl is told -k, which a job cannot do"
    assert reasons[12] == "it calls 2 URLs, and a job calls one"
    assert "25" in reasons[13]
    assert reasons[14] == "there is no time called @reboot here"
    assert reasons[15].startswith("its quotes do not match")
    assert reasons[16] == "it has no five fields and a command behind them"


@pytest.mark.parametrize("option", ["-m nan", "--retry=inf", "-m 1e999"])
async def test_a_line_with_a_number_that_is_none_is_skipped_with_a_reason(engine: Engine, option: str) -> None:
    crontab = f"* * * * * curl {option} https://example.com\n* * * * * curl https://example.com\n"

    told = await engine.post(f"{JOBS}/import", {"crontab": crontab})

    assert [each["line"] for each in told["jobs"]] == [2]
    assert [each["reason"].partition(" ")[2] for each in told["skipped"]] == ["is no number"]


@pytest.mark.parametrize("body", ['{"x":1e999}', '{"x":' + "9" * 5_000 + "}"])
async def test_a_body_that_nobody_can_read_is_refused_in_a_sentence(engine: Engine, body: str) -> None:
    asked = f'{{"name":"a","kind":"one_time","request":{{"url":"{URL}","method":"POST","body":{body}}}}}'

    response = await engine.client.post(JOBS, content=asked.encode())

    assert response.status_code == 422
    assert "request.body cannot be read" in response.json()["error"]["message"]


async def test_what_an_import_would_do_is_told_before_it_is_done(engine: Engine) -> None:
    before = engine.head

    told = await engine.post(f"{JOBS}/import", {"crontab": CRONTAB, "dry_run": True})

    assert ([each["line"] for each in told["jobs"]], len(told["skipped"])) == ([5, 6, 7, 8], 8)
    assert engine.head == before


async def test_an_import_that_fails_unexpectedly_at_one_line_has_saved_none(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    check_request = vars(job_specs)["check_request"]

    def bad(request: HttpRequest) -> None:
        if request.url.endswith("/bare"):
            raise TypeError("nobody thought of this")
        check_request(request)

    monkeypatch.setattr(job_specs, "check_request", bad)

    assert (await engine.client.post(f"{JOBS}/import", json={"crontab": CRONTAB})).status_code == 500
    assert (await engine.get(JOBS))["total"] == 0
    log.clear()


async def test_an_import_that_the_engine_takes_a_part_of_tells_which(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = vars(jobs)["create"]

    async def full(service: Service, spec: JobSpec, *rest: Any) -> Any:
        if spec.name.endswith("/bare"):
            raise Busy("The inbox is full.")
        return await create(service, spec, *rest)

    monkeypatch.setattr(jobs, "create", full)

    told = await engine.post(f"{JOBS}/import", {"crontab": CRONTAB})

    assert len(told["jobs"]) == (await engine.get(JOBS))["total"] == 3
    assert [each["reason"] for each in told["skipped"]].count("The inbox is full.") == 1


# Jobs that pause themselves


async def test_a_job_pauses_itself_after_failures_and_says_which_execution_was_one_too_many(
    engine: Engine, target: Target
) -> None:
    execute(engine)
    job = await save(engine, target.url("/status/400"), pause_after_failures=2)
    told = await ended(engine, await start(engine, job))
    once = await engine.get(f"{JOBS}/{job['id']}")
    last = await ended(engine, await start(engine, job))
    found = await engine.get(f"{JOBS}/{job['id']}")

    assert told["status"] == last["status"] == "failed"
    assert (once["state"], once["consecutive_failures"], once["paused_reason"]) == ("active", 1, None)
    assert (found["state"], found["consecutive_failures"]) == ("paused", 2)
    assert (found["paused_reason"], found["paused_by_execution"]) == ("failures", last["id"])
    # A webhook starts nothing any more, as with a job that somebody paused.
    assert (await engine.client.post(f"/v1/triggers/{job['webhook_token']}")).json() == {"received": True}
    assert len(await executions(engine, job["id"])) == 2

    resumed = await engine.post(f"{JOBS}/{job['id']}/resume")
    paused = await engine.post(f"{JOBS}/{job['id']}/pause")

    assert (resumed["consecutive_failures"], resumed["paused_reason"]) == (0, None)
    assert (paused["paused_reason"], paused["paused_by_execution"]) == ("manual", None)


async def test_a_job_pauses_itself_when_its_target_is_gone_for_good(engine: Engine, target: Target) -> None:
    execute(engine)
    job = await save(engine, target.url("/status/410"), pause_on_gone=True)
    execution = await ended(engine, await start(engine, job))
    found = await engine.get(f"{JOBS}/{job['id']}")

    assert (found["state"], found["paused_reason"], found["paused_by_execution"]) == ("paused", "gone", execution["id"])


async def test_when_a_job_pauses_itself_can_be_changed_and_taken_back(engine: Engine) -> None:
    job = await create(engine, kind="webhook_trigger", pause_after_failures=3)
    asked = ({"name": "pong"}, {"pause_after_failures": 5, "pause_on_gone": True}, {"pause_after_failures": 0})
    answers = [(await engine.client.patch(f"{JOBS}/{job['id']}", json=each)).json() for each in asked]

    assert [each["pause_after_failures"] for each in (job, *answers)] == [3, 3, 5, None]
    assert [each["pause_on_gone"] for each in (job, *answers)] == [False, False, True, True]
    status, message = await refused(engine, {"pause_after_failures": 1_001}, f"{JOBS}/{job['id']}", "PATCH")
    assert (status, "pause_after_failures" in message) == (400, True)


async def test_what_is_over_the_rate_of_a_job_waits_and_says_until_when(engine: Engine, target: Target) -> None:
    job = await create(
        engine,
        kind="webhook_trigger",
        request={"url": target.url()},
        rate_limit="2/1m",
        retry_policy={"max_attempts": 1},
    )
    started = [await start(engine, job["id"]) for _ in range(3)]
    execute(engine)
    done = [await ended(engine, each) for each in started[:2]]
    told = await explained(engine, started[2])
    waiting = await engine.get(f"{EXECUTIONS}/{started[2]}")
    await engine.advance(MINUTE_MS)
    last = await ended(engine, started[2])

    assert job["rate_limit"] == "2/1m"
    assert [each["status"] for each in [*done, last]] == ["succeeded"] * 3
    assert waiting["status"] == "queued"
    queue, until = f"runfold/jobs/{job['id']}", "2027-01-15T08:01:00.000Z"
    assert told == (
        "rate_limit",
        f"Queue {queue} has used up its rate of 2 starts in 60 s; the next one is possible at {until}.",
        {"queue": queue, "limit": 2, "periodMs": 60_000, "until": until},
    )
    assert len(target.asked) == 3


async def test_the_rate_of_a_job_can_be_changed_and_taken_back(engine: Engine) -> None:
    job = await create(engine, kind="webhook_trigger", rate_limit="600/90s")
    path = f"{JOBS}/{job['id']}"
    named = (await engine.client.patch(path, json={"name": "pong"})).json()
    changed = (await engine.client.patch(path, json={"rate_limit": "1/120m"})).json()
    taken = (await engine.client.patch(path, json={"rate_limit": ""})).json()

    assert [each["rate_limit"] for each in (job, named, changed, taken)] == ["600/90s", "600/90s", "1/2h", None]


@pytest.mark.parametrize("rate", ["10", "0/1s", "10/0s", "10/1 s", "10/31d"])
async def test_a_rate_that_is_none_is_refused(engine: Engine, rate: str) -> None:
    body = {"name": "ping", "kind": "one_time", "request": {"url": URL}, "rate_limit": rate}

    status, sentence = await refused(engine, body)

    assert (status, rate in sentence) == (422, True), sentence
