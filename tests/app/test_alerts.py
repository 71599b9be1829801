"""Callbacks and alerts from end to end: real webhooks, which the library of Standard Webhooks verifies, and e-mails."""

import json
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, webhooks

from domain.announcing import ALERT_KINDS, ALERTED_BY_DEFAULT
from domain.status import Status
from tests.app.calling import EXECUTIONS, JOBS, ended, execute, save, start, status_of
from tests.app.harness import START, START_MS, Engine, environment, until
from tests.certificates import END, server_context, trusting
from tests.mailbox import SENDER, Mailbox
from tests.targets import Asked, Target, a_target

ALERTS = "/v1/alerts"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class SameTime(datetime):
    """What the library knows of time: it is as late as the clock of the engine says."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "SameTime":
        return cls.fromtimestamp(START_MS / 1_000, tz)


@pytest.fixture(autouse=True)
def same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "datetime", SameTime)


async def channel(engine: Engine, **body: Any) -> dict[str, Any]:
    response = await engine.client.post(ALERTS, json={"name": "ops"} | body)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def fail(engine: Engine, message: str = "mailbox full") -> str:
    """A run of a task that fails."""
    version = await engine.register({"id": "greet"})
    run = await engine.trigger("greet", maxAttempts=1)
    error = {"name": "SmtpError", "message": message, "stackTrace": "Traceback with a password"}
    await engine.perform(version, "failed", error=error)
    return run


async def telling(engine: Engine, run: str) -> list[dict[str, Any]]:
    """The runs that tell of this one, the first first."""
    found = await engine.get("/api/v1/runs", **{"filter[tag]": f"about:{run}"})
    return sorted(found["data"], key=lambda each: each["id"])


def message_in(asked: Asked) -> Any:
    """What a webhook brought, if its signature is right."""
    Webhook(KEY).verify(asked.body, asked.headers)
    return json.loads(asked.body)


async def sign(engine: Engine) -> None:
    await engine.put("/v1/secrets/signing", {"value": KEY})


async def test_a_callback_is_an_execution_that_is_signed_and_tells_of_another(engine: Engine, target: Target) -> None:
    execute(engine)
    await sign(engine)
    callback = {
        "on": ["failure"],
        "url": target.url("/told"),
        "secret": "signing",
        "headers": {"x-team": "secret://signing"},
    }
    job = await save(engine, target.url("/status/400"), callbacks=[callback])
    failed = await ended(engine, await start(engine, job))
    (run,) = await telling(engine, failed["id"])
    told = await ended(engine, run["id"])

    asked = target.asked[1]
    message = message_in(asked)
    assert (asked.path, asked.method, asked.headers["content-type"]) == ("/told", "POST", "application/json")
    assert (asked.headers["webhook-id"], asked.headers["x-team"]) == (told["id"], KEY)
    assert (message["type"], message["timestamp"]) == ("execution.failed", START)
    assert message["data"]["job"] == {"id": job["id"], "name": "ping"}
    assert message["data"]["execution"] == (await engine.get(EXECUTIONS))["data"][0]
    (attempt,) = message["data"]["attempts"]
    assert (attempt["number"], attempt["status"], attempt["statusCode"]) == (1, "HTTP_ERROR", 400)
    assert (told["status"], told["source"], told["job_id"]) == ("succeeded", "callback", None)
    assert told["about"] == {"execution_id": failed["id"], "type": "execution.failed"}
    assert failed["about"] is None


async def test_a_channel_is_tested_by_a_message_of_its_own(engine: Engine, target: Target, mailbox: Mailbox) -> None:
    execute(engine, mailer=mailbox.mailer)
    await sign(engine)
    hook = await channel(engine, kind="webhook", url=target.url("/told"), secret="signing")
    mail = await channel(engine, kind="email", to=["ada@example.com"])
    runs: list[str] = []
    for each in (hook, mail, hook):
        response = await engine.client.post(f"{ALERTS}/{each['id']}/test")
        runs.append(response.json()["execution_id"])
        assert response.status_code == 202
    told = [await ended(engine, run) for run in runs]

    assert len(set(runs)) == 3
    assert [each["status"] for each in told] == ["succeeded"] * 3
    assert told[0]["about"] == {"execution_id": hook["id"], "type": "channel.test"}
    message = message_in(target.asked[0])
    assert (message["type"], message["data"]) == ("channel.test", {"channel": {"id": hook["id"], "name": "ops"}})
    (letter,) = mailbox.taken
    assert letter["subject"] == "Test of alert channel ops"
    said = await engine.refused("POST", f"{ALERTS}/alert_0/test", 404)
    assert said == "Alert channel alert_0 not found."


async def test_a_callback_is_tried_again_with_the_same_message(engine: Engine, target: Target) -> None:
    execute(engine)
    await sign(engine)
    target.script = [(503, "", {}), (200, "", {})]
    callback = {"on": ["completion"], "url": target.url("/next"), "secret": "signing"}
    done = await ended(engine, await start(engine, await save(engine, target.url(), callbacks=[callback])))
    (run,) = await telling(engine, done["id"])
    told = await ended(engine, run["id"])

    first, second = target.asked[1:]
    assert message_in(first) == message_in(second)
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == run["id"]
    assert [each["statusCode"] for each in told["attempts"]] == [503, 200]


async def test_of_a_callback_that_fails_nothing_is_told(engine: Engine, target: Target) -> None:
    execute(engine)
    callback = {"on": ["success", "failure", "completion", "recovery", "auto_pause"], "url": target.url("/status/400")}
    await channel(engine, kind="webhook", url=target.url("/alerts"))
    done = await ended(engine, await start(engine, await save(engine, target.url(), callbacks=[callback])))
    (run,) = await telling(engine, done["id"])
    failed = await ended(engine, run["id"])

    assert failed["status"] == "failed"
    assert await telling(engine, run["id"]) == []
    assert [asked.path for asked in target.asked] == ["/", "/status/400"]


async def test_what_failed_cannot_make_a_message_that_holds_a_secret(engine: Engine, target: Target) -> None:
    execute(engine)
    await sign(engine)
    await channel(engine, kind="webhook", url=target.url("/alerts"), secret="signing")
    run = await fail(engine, "secret://signing {{uuid}}")
    (asked,) = await target.came(1)

    message = message_in(asked)
    assert message["type"] == "run.failed"
    assert message["data"]["run"]["error"] == {"class": "SmtpError", "message": "secret://signing {{uuid}}"}
    assert message["data"]["run"]["id"] == run
    assert b"Traceback" not in asked.body
    await until(lambda: not engine.service.loop.engine.memory.worker_runs)


async def test_alerts_tell_of_failures_and_recoveries_of_tasks_and_of_jobs_that_pause_themselves(
    engine: Engine, target: Target
) -> None:
    execute(engine)
    await sign(engine)
    made = await channel(engine, kind="webhook", url=target.url("/alerts"), secret="signing")
    await fail(engine)
    failing = (await engine.get(f"{ALERTS}/{made['id']}"))["failing"]
    version = await engine.register({"id": "greet"})
    await engine.trigger()
    await engine.perform(version, output={})
    job = await save(engine, target.url("/status/410"), pause_on_gone=True)
    gone = await ended(engine, await start(engine, job))
    asked = [each for each in await target.came(5) if each.path == "/alerts"]

    types = sorted(message_in(each)["type"] for each in asked)
    assert types == ["execution.failed", "job.paused", "run.failed", "run.recovered"]
    assert failing == ["task:greet"]
    assert (await engine.get(f"{ALERTS}/{made['id']}"))["failing"] == [f"job:{job['id']}"]
    assert {each["source"] for each in await telling(engine, gone["id"])} == {"alert"}


async def test_an_alert_by_e_mail_is_sent_by_a_run_and_tried_again(engine: Engine, mailbox: Mailbox) -> None:
    execute(engine, mailer=mailbox.mailer)
    mailbox.script = ["451 come back later"]
    await channel(engine, kind="email", to=["ada@example.com", "bob@example.com"])
    run = await fail(engine)
    (told,) = await telling(engine, run)
    found = await ended(engine, told["id"])
    (mail,) = mailbox.taken

    assert (mail["From"], mail["To"]) == (SENDER, "ada@example.com, bob@example.com")
    assert (mail["Subject"], mail["Message-ID"]) == ("Task greet failed", f"<{told['id']}@runfold>")
    text = mail.get_content()
    assert "Error: mailbox full" in text
    assert run in text
    assert (found["status"], found["about"]) == ("succeeded", {"execution_id": run, "type": "run.failed"})
    assert found["request"] == {"to": ["ada@example.com", "bob@example.com"]}
    assert [(each["statusCode"], each["errorClass"]) for each in found["attempts"]] == [
        (451, "mail_refused"),
        (250, None),
    ]
    assert (await engine.retrieve(told["id"]))["taskIdentifier"] == "runfold/email"


async def test_an_e_mail_tells_of_a_job_with_its_attempts(engine: Engine, target: Target, mailbox: Mailbox) -> None:
    execute(engine, mailer=mailbox.mailer)
    await channel(engine, kind="email", to=["ada@example.com"])
    job = await save(engine, target.url("/status/500"), name="Nightly ping", pause_after_failures=1)
    gone = await ended(engine, await start(engine, job))
    mails = await mailbox.came(2)

    by_subject = {mail["Subject"]: mail.get_content() for mail in mails}
    assert by_subject.keys() == {"Job Nightly ping failed", "Job Nightly ping paused itself"}
    assert by_subject["Job Nightly ping failed"].count("The target answered with status 500.") == 4
    assert gone["id"] in by_subject["Job Nightly ping paused itself"]


async def test_without_a_mail_server_an_e_mail_waits_for_one(engine: Engine) -> None:
    execute(engine)
    await channel(engine, kind="email", to=["ada@example.com"])
    run = await fail(engine)
    (told,) = await telling(engine, run)
    await until(lambda: status_of(engine, told["id"]) is Status.REATTEMPTING)
    await engine.service.loop.settled(told["id"])

    found = await engine.retrieve(told["id"], vocabulary="full")
    assert (found["status"], found["error"]["message"]) == (
        "REATTEMPTING",
        "The engine knows no mail server: set RUNFOLD_SMTP_URL where it runs.",
    )


async def test_an_alert_can_be_replayed(engine: Engine, target: Target) -> None:
    execute(engine)
    await sign(engine)
    await channel(engine, kind="webhook", url=target.url("/alerts"), secret="signing")
    (told,) = await telling(engine, await fail(engine))
    await ended(engine, told["id"])
    again = await engine.client.post(f"{EXECUTIONS}/{told['id']}/replay")
    await ended(engine, again.json()["id"])

    first, second = target.asked
    assert again.status_code == 201
    assert message_in(first) == message_in(second)
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


async def test_channels_are_of_their_environment(engine: Engine) -> None:
    other = await environment(engine, "staging")
    made = await channel(engine, kind="webhook", url="https://example.com")

    assert (await other.get(ALERTS))["data"] == []
    assert (await engine.get(ALERTS))["data"] == [made] == [await engine.get(f"{ALERTS}/{made['id']}")]
    assert made == {
        "id": made["id"],
        "name": "ops",
        "kind": "webhook",
        "on": ["failure", "recovery", "auto_pause", "certificate"],
        "tasks": [],
        "jobs": [],
        "repeat": True,
        "digest": None,
        "waiting": 0,
        "certificate_days": 14,
        "failing": [],
        "error": None,
        "created_at": START,
        "url": "https://example.com",
        "headers": {},
        "secret": None,
    }
    for method in ("GET", "DELETE"):
        await other.refused(method, f"{ALERTS}/{made['id']}", 404)
    await engine.delete(f"{ALERTS}/{made['id']}")
    assert (await engine.get(ALERTS))["data"] == []
    assert await engine.refused("DELETE", f"{ALERTS}/{made['id']}", 404) == f"Alert channel {made['id']} not found."


async def test_a_channel_names_the_secret_that_it_needs_and_that_is_not_there(engine: Engine) -> None:
    hook: dict[str, Any] = {"kind": "webhook", "url": "https://example.com"}
    made = await channel(engine, **hook, secret="signing", headers={"x-team": "of secret://team"})
    await channel(engine, **hook)

    async def errors() -> list[str | None]:
        return [each["error"] for each in (await engine.get(ALERTS))["data"]]

    missing = "There is no secret {0} in this environment: save it with PUT /v1/secrets/{0}."
    assert made["error"] == missing.format("signing")
    assert await errors() == [None, missing.format("signing")]
    await sign(engine)
    assert (await engine.get(f"{ALERTS}/{made['id']}"))["error"] == missing.format("team")
    await engine.put("/v1/secrets/team", {"value": "ops"})
    assert await errors() == [None, None]
    await engine.delete("/v1/secrets/signing")
    assert await errors() == [None, missing.format("signing")]


async def test_a_channel_that_names_no_occasion_is_told_of_all_that_there_are_but_for_successes(engine: Engine) -> None:
    schemas = (await engine.get("/openapi.json"))["components"]["schemas"]
    occasions = schemas["ChannelBody"]["properties"]["on"]["items"]["enum"]

    made = await channel(engine, kind="webhook", url="https://example.com")

    assert sorted(occasions) == sorted(ALERT_KINDS)
    assert tuple(made["on"]) == ALERTED_BY_DEFAULT
    assert set(occasions) - set(made["on"]) == {"success", "completion"}


async def test_channels_tell_of_successes_of_tasks_and_jobs(engine: Engine, target: Target, mailbox: Mailbox) -> None:
    execute(engine, mailer=mailbox.mailer)
    await sign(engine)
    url = target.url("/alerts")
    await channel(engine, kind="webhook", on=["success", "completion"], url=url, secret="signing")
    await channel(engine, kind="email", on=["completion"], to=["ada@example.com"])
    version = await engine.register({"id": "greet"})
    run = await engine.trigger()
    await engine.perform(version, output={})
    done = await ended(engine, await start(engine, await save(engine, target.url(), name="Nightly ping")))
    mails = await mailbox.came(2)

    told = [message_in(each) for each in await target.came(3) if each.path == "/alerts"]
    assert {each["type"]: each["data"] for each in told}.keys() == {"run.succeeded", "execution.succeeded"}
    (of_run,) = [each["data"]["run"] for each in told if "run" in each["data"]]
    assert (of_run["id"], of_run["status"], of_run["error"]) == (run, "COMPLETED", None)
    assert {mail["Subject"] for mail in mails} == {"Task greet succeeded", "Job Nightly ping succeeded"}
    assert len(await telling(engine, done["id"])) == len(await telling(engine, run)) == 2


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"kind": "webhook"}, "needs the url"),
        ({"kind": "webhook", "url": "ftp://example.com"}, "http"),
        ({"kind": "webhook", "url": "https://example.com", "to": ["a@example.com"]}, "to is for e-mails"),
        ({"kind": "webhook", "url": "https://example.com", "secret": "no name"}, "sign_with"),
        ({"kind": "webhook", "url": "https://example.com", "headers": {"host": "x"}}, "ost"),
        ({"kind": "webhook", "url": "https://example.com", "on": []}, "on names one occasion"),
        ({"kind": "webhook", "url": "https://example.com", "name": ""}, "name"),
        ({"kind": "webhook", "url": "https://example.com", "tasks": ["t"] * 101}, "at most 100 tasks"),
        ({"kind": "email"}, "1 to 20 e-mail addresses"),
        ({"kind": "email", "to": ["a@example.com\r\nBcc: b@example.com"]}, "e-mail addresses"),
        ({"kind": "email", "to": ["a@example.com"], "url": "https://example.com"}, "no url"),
    ],
)
async def test_a_channel_that_could_tell_nobody_is_refused(engine: Engine, body: dict[str, Any], sentence: str) -> None:
    assert sentence in await engine.refused("POST", ALERTS, 422, json={"name": "ops"} | body)


UNABLE: tuple[tuple[list[dict[str, Any]], str], ...] = (
    ([{"on": ["failure"], "url": "https://example.com"}] * 11, "at most 10 callbacks"),
    ([{"on": [], "url": "https://example.com"}], "on names one occasion"),
    ([{"on": ["failure"], "url": "https://example.com/secret://token"}], "refers to a secret"),
)


@pytest.mark.parametrize(("callbacks", "sentence"), UNABLE)
async def test_a_callback_that_cannot_be_is_refused(engine: Engine, callbacks: list[Any], sentence: str) -> None:
    body = {"name": "ping", "kind": "one_time", "request": {"url": "https://example.com"}, "callbacks": callbacks}

    assert sentence in await engine.refused("POST", JOBS, 422, json=body)


async def test_callbacks_can_be_changed_and_taken_back(engine: Engine) -> None:
    callback: dict[str, Any] = {"on": ["failure"], "url": "https://example.com", "headers": {}, "secret": None}
    job = await save(engine, "https://example.com", callbacks=[callback])
    kept = (await engine.client.patch(f"{JOBS}/{job['id']}", json={"name": "pong"})).json()
    gone = (await engine.client.patch(f"{JOBS}/{job['id']}", json={"callbacks": []})).json()

    assert (job["callbacks"], kept["callbacks"], gone["callbacks"]) == ([callback], [callback], [])


async def test_a_channel_with_a_digest_tells_what_follows_together(
    engine: Engine, target: Target, mailbox: Mailbox
) -> None:
    execute(engine, mailer=mailbox.mailer)
    await sign(engine)
    hook = await channel(engine, kind="webhook", url=target.url("/alerts"), secret="signing", digest="5m")
    await channel(engine, kind="email", to=["ada@example.com"], digest="5m")
    first = await fail(engine)
    await target.came(1)
    job = await save(engine, target.url("/status/400"))
    failed = [await ended(engine, await start(engine, job)) for _ in range(2)]
    last = await fail(engine)
    waiting = (await engine.get(f"{ALERTS}/{hook['id']}"))["waiting"]
    await engine.advance(5 * 60_000)
    told = [await ended(engine, run["id"]) for run in await telling(engine, hook["id"])]

    alerts = [message for each in target.asked if each.path == "/alerts" for message in [json.loads(each.body)]]
    assert (hook["digest"], hook["waiting"], waiting) == ("5m", 0, 3)
    assert [alerts[0]["data"]["run"]["id"], alerts[0]["type"], len(alerts)] == [first, "run.failed", 2]
    assert alerts[1] == {
        "type": "alerts.summary",
        "timestamp": "2027-01-15T08:05:00.000Z",
        "data": {
            "channel": {"id": hook["id"], "name": "ops"},
            "count": 3,
            "alerts": [
                {
                    "type": "execution.failed",
                    "job": {"id": job["id"], "name": "ping"},
                    "count": 2,
                    "last_execution": failed[1]["id"],
                },
                {"type": "run.failed", "task": "greet", "count": 1, "last_run": last},
            ],
            "others": 0,
        },
    }
    assert [each["status"] for each in told] == ["succeeded"]
    await until(lambda: len(mailbox.taken) == 2)
    letter = mailbox.taken[1]
    assert letter["subject"] == "3 alerts of channel ops"
    assert f"2 x Job ping failed, at last {failed[1]['id']}" in letter.get_content()
    assert f"1 x Task greet failed, at last {last}" in letter.get_content()


async def test_a_summary_that_is_replayed_says_the_same(engine: Engine, target: Target) -> None:
    execute(engine)
    hook = await channel(engine, kind="webhook", url=target.url("/alerts"), digest="1m")
    await fail(engine)
    await target.came(1)
    await fail(engine)
    await engine.advance(60_000)
    (run,) = await telling(engine, hook["id"])
    await ended(engine, run["id"])
    await fail(engine)
    again = await engine.client.post(f"{EXECUTIONS}/{run['id']}/replay")
    await ended(engine, again.json()["id"])

    _, summary, repeated = [json.loads(each.body) for each in target.asked]
    assert summary["data"]["count"] == 1
    assert repeated == summary


@pytest.mark.parametrize("digest", ["0s", "8d", "soon", "5"])
async def test_a_digest_that_is_none_is_refused(engine: Engine, digest: str) -> None:
    body = {"name": "ops", "kind": "webhook", "url": "https://example.com", "digest": digest}

    said = await engine.refused("POST", ALERTS, 422, json=body)

    assert digest in said


async def test_a_certificate_that_ends_soon_is_told_once(
    engine: Engine, target: Target, mailbox: Mailbox, tmp_path: Path
) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async with a_target(server_context(tmp_path, "secure.test")) as secure:
        execute(engine, resolve=resolve, mailer=mailbox.mailer, trust=trusting(tmp_path))
        await channel(engine, kind="webhook", url=target.url("/alerts"), certificate_days=30)
        await channel(engine, kind="email", to=["ada@example.com"], on=["certificate"])
        job = await save(engine, secure.url(host="secure.test"))
        early = await ended(engine, await start(engine, job))
        assert await telling(engine, early["id"]) == []
        engine.clock.move_to(int((END - timedelta(days=10)).timestamp() * 1_000))
        warned = await ended(engine, await start(engine, job))
        told = [await ended(engine, run["id"]) for run in await telling(engine, warned["id"])]
        again = await ended(engine, await start(engine, job))

    (asked,) = target.asked
    message = json.loads(asked.body)
    ends_at = END.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert [each["attempts"][0]["certificateEndsAt"] for each in (early, warned, again)] == [ends_at] * 3
    assert (message["type"], message["data"]["certificate"]) == ("certificate.ending", {"ends_at": ends_at})
    assert message["data"]["execution"]["id"] == warned["id"]
    assert [each["status"] for each in told] == ["succeeded"] * 2
    (letter,) = mailbox.taken
    assert letter["subject"] == "Job ping calls a server whose certificate ends soon"
    assert f"The certificate of the server ends at {ends_at}." in letter.get_content()
    assert await telling(engine, again["id"]) == []


@pytest.mark.parametrize("days", [0, 366])
async def test_a_warning_is_at_most_a_year_ahead(engine: Engine, days: int) -> None:
    body = {"name": "ops", "kind": "webhook", "url": "https://example.com", "certificate_days": days}

    said = await engine.refused("POST", ALERTS, 400, json=body)

    assert "certificate_days" in said
