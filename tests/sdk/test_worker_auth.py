"""On whose behalf a run acts, and with which credentials."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runfold import Context, task
from runfold.context import Cancellation, Connections
from runfold.worker.failures import MESSAGE_MAX, describe
from runfold.worker.handed import Attempt, context_of
from runfold.worker.redacting import redaction
from runfold.worker.wire import Environment, HandOut, Report
from tests.sdk import auth_jobs, jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine, until

SECRET = "ghp_0123456789"


async def test_a_resolver_says_on_whose_behalf_a_run_acts(engine: FakeEngine, working: WORKERS) -> None:
    async with working(auth_jobs.authorized):
        run = await engine.give("authorized", {"city": "Riga"}, kind="auth")
        end = await engine.end(run)

    assert engine.kinds(run) == ["authorized"], "no attempt has started"
    assert end == {
        "run": run,
        "token": 1,
        "kind": "authorized",
        "at": end["at"],
        "output": {"user": "Riga", "run": run, "task": "authorized"},
    }


async def test_a_resolver_that_is_not_async_runs_in_a_process(engine: FakeEngine, working: WORKERS) -> None:
    async with working(auth_jobs.authorized_in_process, jobs.who, processes=1):
        run = await engine.give("authorized_in_process", {"city": "Riga"}, kind="auth")
        end = await engine.end(run)
        process = await engine.end(await engine.give("who"))

    assert engine.kinds(run) == ["authorized"]
    assert end["output"] == {"process": process["output"], "attempt": 1}


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"city": "Atlantis"}, {"name": "UnresolvedAuthError", "message": "Nobody lives in Atlantis."}),
        (
            {"city": ""},
            {
                "name": "UnresolvedAuthError",
                "message": "The auth resolver of the task 'authorized' returned None, so nobody was found.",
            },
        ),
        (
            {"city": 3},
            {
                "name": "InvalidPayloadError",
                "message": "The payload does not fit Place: Expected `str`, got `int` - at `$.city`",
            },
        ),
    ],
)
async def test_a_resolver_that_finds_nobody_says_why(
    engine: FakeEngine, working: WORKERS, caplog: pytest.LogCaptureFixture, payload: Any, error: Any
) -> None:
    async with working(auth_jobs.authorized):
        run = await engine.give("authorized", payload, kind="auth")
        end = await engine.end(run)

    assert engine.kinds(run) == ["unauthorized"]
    assert {name: end["error"][name] for name in error} == error
    assert "retryable" not in end
    assert f"an auth resolver found nobody: {error['name']}" in caplog.text


async def test_a_resolver_that_kills_its_process_finds_nobody(engine: FakeEngine, working: WORKERS) -> None:
    async with working(auth_jobs.fatally_authorized):
        run = await engine.give("fatally_authorized", 3, kind="auth")
        end = await engine.end(run)

    assert engine.kinds(run) == ["unauthorized"]
    assert end["error"] == {"name": "ProcessDied", "message": "The process exited with code 3.", "exitCode": 3}


async def test_a_task_without_a_resolver_finds_nobody(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet, jobs.who):
        ends = [await engine.end(await engine.give(each, kind="auth")) for each in ("greet", "who", "nobody-knows")]

    assert [end["kind"] for end in ends] == ["unauthorized"] * 3
    assert ends[0]["error"]["message"] == "The task 'greet' has no auth resolver in this worker's version of the code."


async def test_a_cancelled_resolver_ends_without_a_report(engine: FakeEngine, working: WORKERS, tmp_path: Path) -> None:
    async with working(auth_jobs.never_authorized, auth_jobs.never_authorized_in_process, jobs.greet, concurrency=2):
        one = await engine.give("never_authorized", kind="auth")
        other = await engine.give("never_authorized_in_process", str(tmp_path), kind="auth")
        await until(lambda: auth_jobs.is_looking(one) and (tmp_path / "began").exists())
        following = await engine.give("greet", {"city": "Riga"})
        await engine.cancel(one)
        await engine.cancel(other)
        await engine.end(following)
        await until((tmp_path / "ended").exists)

    assert not auth_jobs.is_looking(one)
    assert (engine.kinds(one), engine.kinds(other)) == ([], [])


async def test_a_worker_that_ends_gives_back_what_it_was_to_resolve(engine: FakeEngine, working: WORKERS) -> None:
    async with working(auth_jobs.never_authorized):
        run = await engine.give("never_authorized", kind="auth")
        await until(lambda: auth_jobs.is_looking(run))

    assert engine.kinds(run) == ["released"]


async def test_a_task_gets_who_it_acts_for_and_the_credentials_it_declares(
    engine: FakeEngine, working: WORKERS
) -> None:
    seen: list[Any] = []

    @task(connections=("github", "slack"))
    async def sync(payload: None, ctx: Context) -> None:
        seen.append((ctx.auth, ctx.connections["github"]["token"], [*ctx.connections], "linear" in ctx.connections))
        with pytest.raises(KeyError, match=r"The task has no connection 'linear', it has: github, slack\. Declare it"):
            _ = ctx.connections["linear"]

    async with working(sync):
        end = await engine.end(
            await engine.give("sync", auth={"user": 7}, connections={"github": {"token": SECRET}, "slack": "s"})
        )

    assert end["kind"] == "succeeded"
    assert seen == [({"user": 7}, SECRET, ["github", "slack"], False)]


@pytest.mark.parametrize("name", ["leak", "leak_in_process"])
async def test_credentials_are_in_no_log_and_no_report(
    engine: FakeEngine, working: WORKERS, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level("DEBUG")
    async with working(auth_jobs.leak, auth_jobs.leak_in_process):
        run = await engine.give(
            name,
            auth={"userName": "Ada Lovelace"},
            connections={"github": {"token": SECRET, "scopes": ["r", SECRET + "x"]}},
        )
        end = await engine.end(run)

    told = caplog.text + str(engine.reports)
    assert end["error"]["message"].startswith("cannot log in with [redacted]")
    assert "[redacted]" in end["error"]["stackTrace"]
    assert SECRET not in told
    assert "Ada Lovelace" not in told


def test_nothing_shows_credentials() -> None:
    run = HandOut(
        "run_1",
        7,
        "sync",
        0,
        Environment("env_1", "dev", "DEVELOPMENT"),
        auth={"user": SECRET},
        connections={"github": {"token": SECRET}},
    )
    attempt = Attempt(run, "20261122.1", 0)
    shown = [
        repr(run),
        repr(attempt),
        repr(context_of(attempt, cancellation=Cancellation())),
        repr(Report("run_1", 7, "authorized", 5, output=msgspec.Raw(SECRET.encode()))),
        str(Connections({"github": SECRET})),
    ]

    assert [text for text in shown if SECRET in text] == []
    assert shown[-1] == "<connections: github>"


def test_a_secret_is_found_in_every_form_and_at_every_edge() -> None:
    key = '-----BEGIN KEY-----\n"häx0123"\n-----END KEY-----'
    hand_out = HandOut(
        "run_1", 7, "sync", 0, Environment("env_1", "dev", "DEVELOPMENT"), connections={"a": [key], "b": 3}
    )
    redact = redaction(hand_out)
    told = describe(ValueError("x" * (MESSAGE_MAX - 8) + key), redact)

    texts = [key, repr(key), json.dumps(key), json.dumps(key, ensure_ascii=False), key.replace("\n", "\n  | ")]
    assert [text for text in map(redact, texts) if "0123" in text or "KEY" in text] == []
    assert told.message.endswith("x[redacte")
    assert "BEGIN" not in (told.stack_trace or "")
    assert redact("to be or not to be") == "to be or not to be"
