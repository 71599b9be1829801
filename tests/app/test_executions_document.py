"""The executions document, row by row of its tables, with a real server to be called."""

from itertools import pairwise
from typing import Any

import pytest

from app.executor.executor import Executor
from domain.requests import RetryPolicy
from tests.app.calling import EXECUTIONS, JOBS, ended, execute, executed, save, start, status_of
from tests.app.harness import START, START_MS, Engine, until
from tests.app.references.pages import FOLDER
from tests.targets import Target, a_target

LATER = "2027-01-15T08:00:01.000Z"


@pytest.fixture
async def calling(engine: Engine) -> Engine:
    execute(engine)
    return engine


async def listed(engine: Engine, path: str = EXECUTIONS, **query: Any) -> list[str]:
    return [each["id"] for each in (await engine.get(path, **query))["data"]]


# Execution statuses


async def test_queued_is_waiting_to_be_picked_up(engine: Engine, target: Target) -> None:
    execution = await start(engine, await save(engine, target.url()))

    found = await engine.get(f"{EXECUTIONS}/{execution}")

    assert (found["status"], found["run_status"], found["attempts"]) == ("queued", "QUEUED", [])


async def test_running_is_a_request_in_flight(calling: Engine, target: Target) -> None:
    execution = await start(calling, await save(calling, target.url("/gate")))
    await target.came(1)

    found = await calling.get(f"{EXECUTIONS}/{execution}")
    in_flight = await listed(calling, status="running")
    target.release.set()

    assert (found["status"], found["run_status"], in_flight) == ("running", "EXECUTING", [execution])
    assert (await ended(calling, execution))["status"] == "succeeded"


async def test_succeeded_is_a_success_status_code(calling: Engine, target: Target) -> None:
    found = await executed(calling, target, "/status/204")

    assert (found["status"], found["run_status"]) == ("succeeded", "COMPLETED")


async def test_failed_is_all_attempts_exhausted_without_success(calling: Engine, target: Target) -> None:
    found = await executed(calling, target, "/status/503")

    assert (found["status"], found["run_status"], found["attempt_count"]) == ("failed", "FAILED", 3)
    assert found["error"] == {"class": "http_status", "message": "The target answered with status 503."}


@pytest.mark.parametrize(("status", "success"), [(200, True), (201, True), (202, True), (204, True), (203, False)])
async def test_the_statuses_of_success_are_four_unless_the_job_says_more(
    calling: Engine,
    target: Target,
    status: int,
    success: bool,  # noqa: FBT001
) -> None:
    found = await executed(calling, target, f"/status/{status}")
    chosen = await executed(calling, target, f"/status/{status}", request={"success_statuses": [203]})

    assert found["status"] == ("succeeded" if success else "failed")
    assert chosen["status"] == ("failed" if success else "succeeded")


# Retry behavior


def test_the_back_off_is_250_ms_times_2_to_the_attempt_with_jitter() -> None:
    policy = RetryPolicy()

    assert [policy.delay_after(attempt, 0.5) for attempt in (1, 2, 3, 4)] == [500, 1_000, 2_000, 4_000]
    assert (policy.delay_after(1, 0.0), policy.delay_after(1, 0.999_999)) == (250, 750)
    assert policy.delay_after(10_000, 0.5) == policy.backoff_max_ms


async def test_the_pauses_between_attempts_are_those_of_the_formula(calling: Engine, target: Target) -> None:
    found = await executed(calling, target, "/status/500")
    retries = [
        each["data"]["at"] - START_MS
        for each in (await calling.get(f"/api/v1/runs/{found['id']}/events"))["events"]
        if each["type"] == "RetryScheduled"
    ]

    assert 250 <= retries[0] < 750
    assert 500 <= retries[1] - retries[0] < 1_500


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_these_statuses_are_tried_three_times(calling: Engine, target: Target, status: int) -> None:
    found = await executed(calling, target, f"/status/{status}")

    assert [each["statusCode"] for each in found["attempts"]] == [status] * 3


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 501])
async def test_other_statuses_are_not_tried_again(calling: Engine, target: Target, status: int) -> None:
    found = await executed(calling, target, f"/status/{status}")

    assert [each["statusCode"] for each in found["attempts"]] == [status]


async def test_timeouts_and_connection_errors_are_tried_again_whatever_the_statuses(
    calling: Engine, target: Target
) -> None:
    async with a_target() as gone:
        nowhere = gone.url()
    policy: dict[str, Any] = {"retry_on_statuses": [], "max_attempts": 2}
    refused = await ended(calling, await start(calling, await save(calling, nowhere, retry_policy=policy)))
    reset = await executed(calling, target, "/reset", retry_policy=policy)
    silent = await executed(calling, target, "/hang", retry_policy=policy, request={"timeout_seconds": 1})

    assert [each["status"] for each in refused["attempts"]] == ["CONNECTION_ERROR"] * 2
    assert [each["status"] for each in reset["attempts"]] == ["CONNECTION_ERROR"] * 2
    assert [each["status"] for each in silent["attempts"]] == ["TIMEOUT"] * 2


async def test_a_job_has_a_retry_policy_of_its_own(calling: Engine, target: Target) -> None:
    policy = {"max_attempts": 5, "retry_on_statuses": [418], "backoff_ms": 60_000, "backoff_factor": 1.0}

    found = await executed(calling, target, "/status/418", retry_policy=policy)

    starts = [each["startedAt"] for each in found["attempts"]]
    assert len(found["attempts"]) == 5
    assert all(before < after for before, after in pairwise(starts))


@pytest.mark.parametrize(
    "pause", [("120", 120_000), ("Fri, 15 Jan 2027 08:05:00 GMT", 300_000), ("999999", 3_600_000), ("soon", 0)]
)
async def test_a_target_that_asks_for_a_pause_gets_it(calling: Engine, target: Target, pause: tuple[str, int]) -> None:
    target.script = [(429, "", {"retry-after": pause[0]}), (200, "", {})]

    found = await executed(calling, target, "/next")

    events = (await calling.get(f"/api/v1/runs/{found['id']}/events"))["events"]
    (retry,) = [each["data"]["at"] for each in events if each["type"] == "RetryScheduled"]
    assert retry - START_MS == pause[1] or (pause[1] == 0 and 250 <= retry - START_MS < 750)
    assert [each["statusCode"] for each in found["attempts"]] == [429, 200]


async def test_an_address_that_must_not_be_called_is_not_tried_again(engine: Engine, target: Target) -> None:
    execute(engine, allowed="10.0.0.0/8")

    found = await executed(engine, target)

    assert [each["errorClass"] for each in found["attempts"]] == ["address_not_allowed"]
    assert target.asked == []


# Attempts


async def test_an_attempt_records_all_its_fields(calling: Engine, target: Target) -> None:
    target.script = [(500, "broken", {"x-request-id": "a"}), (200, "well", {"content-type": "text/plain"})]

    found = await executed(calling, target, "/next")

    first, second = found["attempts"]
    assert (first["number"], second["number"]) == (1, 2)
    assert (first["status"], second["status"]) == ("HTTP_ERROR", "SUCCESS")
    assert (first["statusCode"], second["statusCode"]) == (500, 200)
    assert (first["bodyPreview"], second["bodyPreview"]) == ("broken", "well")
    assert first["responseHeaders"] == {"content-length": "6", "x-request-id": "a"}
    assert second["responseHeaders"] == {"content-length": "4", "content-type": "text/plain"}
    assert (first["errorClass"], second["errorClass"]) == ("http_status", None)
    assert all(isinstance(each["latencyMs"], int) and each["latencyMs"] >= 0 for each in (first, second))
    assert first["timings"].keys() == {"lookupMs", "connectMs", "tlsMs", "firstByteMs", "totalMs"}


async def test_a_status_code_is_there_only_if_the_request_completed(calling: Engine, target: Target) -> None:
    found = await executed(calling, target, "/drip", request={"timeout_seconds": 1}, retry_policy={"max_attempts": 1})

    (attempt,) = found["attempts"]
    assert (attempt["status"], attempt["statusCode"]) == ("TIMEOUT", None)
    assert attempt["error"].endswith("Its status was 200.")
    assert (attempt["bodyPreview"], attempt["bodyTruncated"]) == ("." * attempt["bytesReceived"], True)
    assert attempt["bytesReceived"] > 0


async def test_a_body_is_shown_up_to_64_kb_and_kept_beside_the_ledger_if_it_is_large(
    calling: Engine, target: Target
) -> None:
    found = await executed(calling, target, "/big/100000")

    (attempt,) = found["attempts"]
    assert (attempt["bodyPreview"], attempt["bodyTruncated"]) == ("x" * 65_536, True)
    events = (await calling.get(f"/api/v1/runs/{found['id']}/events"))["events"]
    assert max(len(str(each)) for each in events) < 2_000


# Outbound headers


async def test_every_request_says_whose_it_is_and_which_attempt(calling: Engine, target: Target) -> None:
    job = await save(calling, target.url("/status/500"))
    found = await ended(calling, await start(calling, job))

    assert [asked.headers["x-cron-service-attempt"] for asked in target.asked] == ["1", "2", "3"]
    assert {asked.headers["x-cron-service-job-id"] for asked in target.asked} == {job["id"]}
    assert {asked.headers["x-cron-service-execution-id"] for asked in target.asked} == {found["id"]}
    assert {asked.headers["x-cron-service-scheduled-for"] for asked in target.asked} == {START}


# Viewing executions


async def three(engine: Engine, target: Target) -> list[str]:
    """Executions that succeeded, failed and wait, a second apart, the first two of one job."""
    target.script = [(200, "", {}), (404, "", {})]
    job = await save(engine, target.url("/next"), name="Daily Report")
    executions: list[str] = []
    for _ in range(2):
        executions.append(await start(engine, job))
        await ended(engine, executions[-1])
        await engine.advance(1_000)
    other = await save(engine, target.url("/gate"), name="health check")
    executions.append(await start(engine, other))
    await target.came(3)
    return executions


async def test_all_executions_are_listed_newest_first(calling: Engine, target: Target) -> None:
    succeeded, failed, running = await three(calling, target)

    page = await calling.get(EXECUTIONS)

    assert [each["id"] for each in page["data"]] == [running, failed, succeeded]
    assert page["pagination"] == {"limit": 50, "offset": 0, "has_more": False, "next_cursor": None}
    detail = await calling.get(f"{EXECUTIONS}/{failed}")
    assert page["data"][1] == {name: detail[name] for name in page["data"][1]}


async def test_the_executions_of_a_job_are_listed(calling: Engine, target: Target) -> None:
    succeeded, failed, _ = await three(calling, target)
    job = (await calling.get(f"{EXECUTIONS}/{failed}"))["job_id"]

    assert await listed(calling, f"{JOBS}/{job}/executions") == [failed, succeeded]
    assert await listed(calling, f"{JOBS}/{job}/executions", status="failed") == [failed]
    await calling.delete(f"{JOBS}/{job}")
    assert await listed(calling, f"{JOBS}/{job}/executions", order="asc") == [succeeded, failed]


async def test_filter_by_status(calling: Engine, target: Target) -> None:
    succeeded, failed, running = await three(calling, target)

    found = {status: await listed(calling, status=status) for status in ("queued", "running", "succeeded", "failed")}

    assert found == {"queued": [], "running": [running], "succeeded": [succeeded], "failed": [failed]}


async def test_from_and_to_are_a_range_of_scheduled_times(calling: Engine, target: Target) -> None:
    succeeded, failed, running = await three(calling, target)
    second = (await calling.get(f"{EXECUTIONS}/{failed}"))["scheduled_for"]

    assert await listed(calling, **{"from": second}) == [running, failed]
    assert await listed(calling, to=second) == [failed, succeeded]
    assert await listed(calling, **{"from": second}, to=second) == [failed]
    assert await listed(calling, to="2027-01-15T09:59:59+02:00") == []


async def test_a_job_is_found_by_a_part_of_its_name_in_any_case(calling: Engine, target: Target) -> None:
    succeeded, failed, running = await three(calling, target)

    assert await listed(calling, job_name="REPORT") == [failed, succeeded]
    assert await listed(calling, job_name="h") == [running]
    assert await listed(calling, job_name="%") == await listed(calling, job_name="nothing") == []
    assert await listed(calling, job_name="report", status="failed") == [failed]


async def test_an_execution_is_found_by_what_its_job_was_called_when_it_was_made(
    calling: Engine, target: Target
) -> None:
    job = await save(calling, target.url(), name="Daily report")
    path = f"{JOBS}/{job['id']}"
    made: list[str] = []
    heads = [calling.head]
    for name in ("Daily report", "Weekly check", "Daily check"):
        assert (await calling.client.patch(path, json={"name": name})).is_success
        made += [await start(calling, job) for _ in range(2)]
        await ended(calling, made[-1])
        await ended(calling, made[-2])
        await calling.advance(1_000)
        heads.append(calling.head)
    first, second, third = made[:2], made[2:4], made[4:]

    for sort in ("scheduled_for", "created_at"):
        found = {part: await listed(calling, job_name=part, sort=sort) for part in ("DAILY", "report", "check", "eek")}
        assert found == {
            "DAILY": [*third[::-1], *first[::-1]],
            "report": first[::-1],
            "check": [*third[::-1], *second[::-1]],
            "eek": second[::-1],
        }
    assert [await listed(calling, job_name="daily", asOf=head) for head in heads[:3]] == [[], first[::-1], first[::-1]]
    assert await listed(calling, job_name="e", order="asc") == made
    page = await calling.get(EXECUTIONS, job_name="daily", limit=3)
    assert [each["id"] for each in page["data"]] == [*third[::-1], first[1]]
    cursor = page["pagination"]["next_cursor"]
    assert await listed(calling, job_name="daily", limit=3, cursor=cursor) == [first[0]]
    assert await listed(calling, job_name="daily", status="failed") == []
    await calling.delete(path)
    assert await listed(calling, job_name="report") == first[::-1]


@pytest.mark.parametrize("sort", ["scheduled_for", "created_at"])
async def test_sort_and_order(calling: Engine, target: Target, sort: str) -> None:
    executions = await three(calling, target)

    assert await listed(calling, sort=sort, order="asc") == executions
    assert await listed(calling, sort=sort, order="desc") == await listed(calling, sort=sort) == executions[::-1]


@pytest.mark.parametrize("query", [{}, {"job_name": "e"}, {"sort": "created_at"}, {"order": "asc"}])
async def test_limit_offset_and_cursor_page_through_the_list(
    calling: Engine, target: Target, query: dict[str, str]
) -> None:
    await three(calling, target)
    everything = await listed(calling, **query)

    first = await calling.get(EXECUTIONS, limit=2, **query)
    rest = await calling.get(EXECUTIONS, cursor=first["pagination"]["next_cursor"], **query)

    assert [each["id"] for each in first["data"] + rest["data"]] == everything
    assert (first["pagination"]["has_more"], rest["pagination"]["has_more"]) == (True, False)
    assert await listed(calling, limit=1, offset=1, **query) == everything[1:2]
    assert await listed(calling, offset=3, **query) == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"status": "COMPLETED"}, "there are queued, running, succeeded, failed"),
        ({"from": "yesterday"}, "from is an ISO 8601 date"),
        ({"status": ["succeeded", "failed"]}, "A parameter is there twice; each takes one value."),
        ({"sort": "name"}, "sort is scheduled_for or created_at"),
        ({"order": "up"}, "order is asc or desc"),
        ({"limit": "0"}, "limit is 1 to 100"),
        ({"limit": "101"}, "limit is 1 to 100"),
        ({"offset": "-1"}, "offset is 0 to"),
        ({"cursor": "x"}, "This cursor was not given out by a list"),
        ({"colour": "red"}, "There is no filter"),
    ],
)
async def test_a_query_that_means_nothing_is_refused(engine: Engine, query: dict[str, Any], reason: str) -> None:
    response = await engine.client.get(EXECUTIONS, params=query)

    assert response.status_code == 400
    assert response.json()["error"].keys() == {"code", "message", "details"}
    assert response.json()["error"]["code"] == "bad_request"
    assert reason in response.json()["error"]["message"]


# Execution details


async def test_one_execution_is_shown_with_all_attempts(calling: Engine, target: Target) -> None:
    job = await save(calling, target.url("/status/500"), name="Daily Report")
    found = await ended(calling, await start(calling, job))

    assert [each["number"] for each in found["attempts"]] == [1, 2, 3]
    assert found["finished_at"] is not None
    assert {name: found[name] for name in ("job_id", "job_name", "source", "scheduled_for", "created_at")} == {
        "job_id": job["id"],
        "job_name": "Daily Report",
        "source": "manual",
        "scheduled_for": START,
        "created_at": START,
    }


@pytest.mark.parametrize("path", [f"{EXECUTIONS}/run_1", f"{EXECUTIONS}/job_1", f"{JOBS}/job_1/executions"])
async def test_what_is_not_there_is_not_found(engine: Engine, path: str) -> None:
    response = await engine.client.get(path)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


async def test_a_run_of_a_task_is_no_execution(engine: Engine) -> None:
    run = await engine.trigger()

    assert (await engine.client.get(f"{EXECUTIONS}/{run}")).status_code == 404
    assert await listed(engine) == []


# Replaying an execution


async def test_a_replay_is_a_new_execution_scheduled_for_now_and_the_original_is_unchanged(
    calling: Engine, target: Target
) -> None:
    target.script = [(404, "", {}), (200, "", {})]
    job = await save(calling, target.url("/next"))
    original = await ended(calling, await start(calling, job))
    await calling.client.patch(f"{JOBS}/{job['id']}", json={"request": {"url": target.url("/other")}})
    await calling.advance(1_000)

    response = await calling.client.post(f"{EXECUTIONS}/{original['id']}/replay")
    again = response.json()

    assert (response.status_code, again["source"], again["scheduled_for"]) == (201, "replay", LATER)
    assert (again["job_id"], again["replay_of"]) == (job["id"], original["id"])
    done = await ended(calling, again["id"])
    assert (done["status"], target.asked[1].path) == ("succeeded", "/next")
    assert target.asked[1].headers["x-cron-service-scheduled-for"] == LATER
    assert target.asked[1].headers["x-cron-service-execution-id"] == again["id"] != original["id"]
    assert await calling.get(f"{EXECUTIONS}/{original['id']}") == original


# Execution sources


async def test_the_sources_are_told(calling: Engine, target: Target) -> None:
    job = await save(calling, target.url())
    manual = await start(calling, job)
    replay = (await calling.client.post(f"{EXECUTIONS}/{manual}/replay")).json()["id"]

    found = {each["id"]: each["source"] for each in (await calling.get(EXECUTIONS))["data"]}

    assert found == {manual: "manual", replay: "replay"}


async def test_every_source_is_explained(engine: Engine) -> None:
    hook = await save(engine, "https://example.com/")
    await save(engine, "https://example.com/", kind="recurring", schedule={"every_n_minutes": 1})
    await save(engine, "https://example.com/", kind="event", event={"name": "user.created"})
    manual = await start(engine, hook)
    await engine.client.post(f"{EXECUTIONS}/{manual}/replay")
    await engine.client.post(f"/v1/triggers/{hook['webhook_token']}")
    await engine.post("/api/v1/events", {"name": "user.created"})
    await engine.advance(60_000)

    told = {each["source"] for each in (await engine.get(EXECUTIONS))["data"]}

    page = (FOLDER.parent / "how-to/call-an-http-endpoint-on-a-schedule.md").read_text(encoding="utf-8")
    table = page.partition("| source | |\n|---|---|\n")[2].partition("\n\n")[0]
    assert told == {row.split("`")[1] for row in table.splitlines()}


# Beside the document


async def test_a_canceled_execution_failed_and_its_call_is_let_go_of(calling: Engine, target: Target) -> None:
    execution = await start(calling, await save(calling, target.url("/gate")))
    await target.came(1)

    await calling.post(f"/api/v2/runs/{execution}/cancel")
    found = await ended(calling, execution)

    assert (found["status"], found["run_status"]) == ("failed", "CANCELED")
    assert [each["errorClass"] for each in found["attempts"]] == ["canceled"]


async def test_no_more_calls_are_made_at_once_than_there_are_slots(engine: Engine, target: Target) -> None:
    execute(engine, concurrency=2)
    job = await save(engine, target.url("/gate"))
    executions = [await start(engine, job) for _ in range(5)]
    await target.came(2)

    found = [status_of(engine, each) for each in executions]
    target.release.set()

    assert len([status for status in found if status == "QUEUED"]) == 3
    assert {(await ended(engine, each))["status"] for each in executions} == {"succeeded"}
    assert len(target.asked) == 5


async def test_a_busy_host_keeps_no_other_one_waiting(engine: Engine, target: Target) -> None:
    async def here(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    execute(engine, resolve=here, concurrency=2, per_host=1)
    busy = await save(engine, target.url("/gate", host="busy.test"))
    executions = [await start(engine, busy) for _ in range(4)]
    await target.came(1)

    other = await ended(engine, await start(engine, await save(engine, target.url("/", host="idle.test"))))
    asked_meanwhile = [asked.headers["host"].partition(":")[0] for asked in target.asked]
    target.release.set()

    assert (other["status"], sorted(asked_meanwhile)) == ("succeeded", ["busy.test", "idle.test"])
    assert {(await ended(engine, each))["status"] for each in executions} == {"succeeded"}


async def test_what_a_stopped_engine_had_in_flight_is_made_again(engine: Engine, target: Target) -> None:
    execute(engine)
    execution = await start(engine, await save(engine, target.url("/gate")))
    await target.came(1)
    executor = engine.service.executor
    assert isinstance(executor, Executor)
    executor.give_back()
    target.release.set()

    found = await ended(engine, execution)

    assert [(each["number"], each["errorClass"]) for each in found["attempts"]] == [(1, "released"), (2, None)]
    await until(lambda: len(target.asked) == 2)
