"""`runfold worker` as a process, which talks HTTP to the fake engine."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from tests.sdk import jobs
from tests.sdk.fake_engine import FakeEngine, is_alive, until

ROOT = Path(__file__).parents[2]
JOBS = str(Path(jobs.__file__))


MAIL = """
from runfold import Context, task

@task
def send(payload: str, ctx: Context):
    print("a letter to", payload)
    ctx.logger.info("sent to %s", payload)
"""


CANCELING = """
import asyncio
import os

from runfold import task

@task
async def cancel_all(payload: int):
    for each in asyncio.all_tasks():
        each.cancel()
    await asyncio.sleep(60)

@task
async def nap():
    await asyncio.sleep(60)

@task
async def ask():
    return os.getpid()

@task
def ask_process():
    return [os.getppid(), os.getpid()]
"""


FROZEN = """
import gc

from runfold import task

@task
async def count(_payload: int) -> int:
    return gc.get_freeze_count()
"""


@asynccontextmanager
async def serving(engine: FakeEngine | PlainTextResponse) -> AsyncGenerator[str]:
    """The engine behind a real port; its address."""
    server = uvicorn.Server(uvicorn.Config(engine, port=0, log_config=None, lifespan="off"))
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]  # signals are pytest's
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task


@asynccontextmanager
async def worker(
    address: str, *arguments: str, folder: Path = ROOT, key: str | None = "secret"
) -> AsyncGenerator[Process]:
    environment = {**os.environ, "RUNFOLD_API_URL": address, "PYTHONPATH": str(ROOT)}
    if key is not None:
        environment["RUNFOLD_SECRET_KEY"] = key
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "runfold.worker", *arguments), cwd=folder, env=environment, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_works_until_a_signal_and_finishes_what_runs(engine: FakeEngine, tmp_path: Path) -> None:
    async with serving(engine) as address, worker(address, JOBS, "--grace", "0") as process:
        greeted = await engine.end(await engine.give("greet", {"city": "Riga"}))
        running = await engine.give("block", str(tmp_path))
        await until((tmp_path / "began").exists)
        process.send_signal(signal.SIGTERM)
        output, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    assert greeted["output"] == "Hello Riga"
    assert engine.kinds(running) == ["started", "released"]
    ready, stopping = output.decode().splitlines()
    tasks = len(engine.registrations[0]["tasks"])
    assert ready.endswith(
        f"info runfold.worker ready as version {engine.version} in dev: {tasks} tasks, up to 100 runs at once"
    )
    assert stopping.endswith("info runfold.worker stopping: 1 run is under way")


async def test_a_second_signal_ends_it_at_once(engine: FakeEngine) -> None:
    async with serving(engine) as address, worker(address, "tests.sdk.jobs") as process:
        await engine.report(await engine.give("wait_for_ever"), "started")
        process.send_signal(signal.SIGINT)
        await engine.turn(lambda turn: turn["want"] == 0)
        process.send_signal(signal.SIGINT)

        assert await process.wait() == 1


async def test_its_children_end_when_it_is_killed(engine: FakeEngine, tmp_path: Path) -> None:
    async with serving(engine) as address, worker(address, JOBS) as process:
        child = (await engine.end(await engine.give("who")))["output"]
        await engine.give("block", str(tmp_path))
        await until((tmp_path / "began").exists)
        process.kill()
        await process.wait()
        await until((tmp_path / "ended").exists)
        await until(lambda: not is_alive(child))


async def test_it_finds_the_key_that_dev_left_in_a_folder_above(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / ".runfold").mkdir()
    (tmp_path / ".runfold" / "secret-key").write_text("secret\n")
    below = tmp_path / "below"
    below.mkdir()
    (below / "mail.py").write_text(MAIL)
    async with serving(engine) as address, worker(address, "mail.py", folder=below, key=None) as process:
        run = await engine.give("send", "ada")
        await engine.end(run)
        process.terminate()
        output, _ = await process.communicate()

    assert process.returncode == 0
    assert engine.kinds(run) == ["started", "succeeded"]
    ready, printed, logged, _ = output.decode().splitlines()
    assert ready.endswith(f": 1 task, up to {os.cpu_count()} runs at once"), "as many as there are processes"
    assert printed == "a letter to ada"
    assert logged.endswith(f"Z info runfold.task.send sent to ada run={run} task=send attempt=1")


VARIABLES = """
import os

from runfold import task

AT_IMPORT = os.environ["GREETING"]

@task
def told() -> list[str]:
    return [AT_IMPORT, os.environ["GREETING"], os.environ["HOME"]]

@task
async def told_too() -> list[str]:
    return told()
"""


async def test_its_tasks_have_the_variables_of_the_environment_unless_it_has_them(
    engine: FakeEngine, tmp_path: Path
) -> None:
    (tmp_path / "look.py").write_text(VARIABLES)
    engine.variables = {"GREETING": "Sveiki", "HOME": "/nowhere"}
    async with serving(engine) as address, worker(address, "look.py", folder=tmp_path):
        outputs = [(await engine.end(await engine.give(task)))["output"] for task in ("told", "told_too")]

    assert outputs == 2 * [["Sveiki", "Sveiki", os.environ["HOME"]]]


async def test_code_that_says_by_itself_where_the_engine_is_has_the_variables_when_its_tasks_run(
    engine: FakeEngine, tmp_path: Path
) -> None:
    engine.variables = {"GREETING": "Sveiki"}
    async with serving(engine) as address:
        configured = f'import runfold\n\nrunfold.configure(api_url="{address}", secret_key="secret")\n'
        code = VARIABLES.replace('os.environ["GREETING"]\n\n@task', 'os.environ.get("GREETING")\n\n@task')
        (tmp_path / "look.py").write_text(configured + code)
        async with worker("http://127.0.0.1:1", "look.py", folder=tmp_path, key=None):
            outputs = [(await engine.end(await engine.give(task)))["output"] for task in ("told", "told_too")]

    home = os.environ["HOME"]
    # The process for tasks that are not async imports the code when the variables are there.
    assert outputs == [["Sveiki", "Sveiki", home], [None, "Sveiki", home]]


async def test_it_says_what_keeps_it_from_working(engine: FakeEngine) -> None:
    async with serving(engine) as address, worker(address, JOBS, key="wrong") as process:
        output, errors = await process.communicate()

    assert (process.returncode, output) == (1, b"")
    assert errors == b"runfold worker: 401: This key opens no environment.\n"


@pytest.mark.parametrize(("status", "prefix"), [(200, ""), (404, "404: ")])
async def test_it_says_that_another_server_is_at_the_address(status: int, prefix: str) -> None:
    async with serving(PlainTextResponse("ok", status)) as address, worker(address, JOBS) as process:
        output, errors = await process.communicate()

    sentence = f"{prefix}{address} answered {status}, but not as an engine does: is RUNFOLD_API_URL right?"
    assert (process.returncode, output) == (1, b"")
    assert errors.decode() == f"runfold worker: {sentence}\n"


async def test_it_says_that_another_server_that_speaks_json_is_at_the_address() -> None:
    async with serving(PlainTextResponse('{"ok": true}')) as address, worker(address, JOBS) as process:
        output, errors = await process.communicate()

    sentence = f"{address} answered 200, but not as an engine does: is RUNFOLD_API_URL right?"
    assert (process.returncode, output) == (1, b"")
    missing = "What it answered cannot be read: Object missing required field `version`."
    assert errors.decode() == f"runfold worker: {sentence} {missing}\n"


async def test_code_that_cancels_all_tasks_of_its_event_loop_ends_runs_and_not_the_worker(
    engine: FakeEngine, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(CANCELING)
    async with serving(engine) as address, worker(address, "jobs.py", folder=tmp_path) as process:
        before = await engine.end(await engine.give("ask_process"))
        nap = await engine.give("nap")
        await engine.report(nap, "started")
        # Both while a turn waits and while one that reports is under way.
        ends = [await engine.end(await engine.give("cancel_all", 1)) for _ in range(3)]
        others = [await engine.end(each) for each in [nap, await engine.give("ask"), await engine.give("ask_process")]]
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()

    assert [(end["kind"], end["error"]["name"]) for end in ends] == 3 * [("failed", "CancelledError")]
    assert (others[0]["kind"], others[0]["error"]["name"]) == ("failed", "CancelledError")
    assert others[1]["output"] == process.pid
    assert others[2]["output"] == before["output"] == [process.pid, before["output"][1]], "its child lives on"
    assert (process.returncode, b"Traceback" in errors, b"never awaited" in errors) == (0, False, False), errors


async def test_it_stands_for_machines_and_leaves_the_current_version(engine: FakeEngine) -> None:
    options = ("--machine", "large-1x", "--machine", "micro", "--no-promote")
    async with serving(engine) as address, worker(address, JOBS, *options) as process:
        first = await engine.turn(lambda _: True)
        process.terminate()
        output, _ = await process.communicate()

    assert process.returncode == 0
    assert first["machines"] == ["large-1x", "micro"]
    assert engine.registrations[0]["promote"] is False
    assert f"the version {engine.version} is not the current one of dev" in output.decode()


async def test_it_knows_no_other_machines(engine: FakeEngine) -> None:
    async with serving(engine) as address, worker(address, JOBS, "--machine", "huge") as process:
        _, errors = await process.communicate()

    assert process.returncode == 2
    assert "invalid choice: 'huge'" in errors.decode()


async def test_what_was_imported_is_not_walked_for_garbage(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "frozen.py").write_text(FROZEN)

    async with serving(engine) as address, worker(address, "frozen.py", folder=tmp_path):
        counted = await engine.end(await engine.give("count", 1))

    assert counted["output"] > 10_000
