"""A real engine with a worker, each in a process of its own, on one of the databases."""

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runfold.engine import program
from tests.postgres import database_url, schema_of_its_own

ROOT = Path(__file__).parents[2]
JOBS = Path(__file__).with_name("jobs.py")
LISTENING, READY = "Runfold is listening on ", "ready as version "
KEYS = {"sqlite": "tr_dev_0000", "postgres": "tr_dev_sk_"}
"""How the secret keys begin: with those of the second kind the SDK signs nothing by itself."""
START_SECONDS = 60.0
END_SECONDS = 20.0


@dataclass(frozen=True)
class RunningEngine:
    """Where an engine is, and the keys that open it."""

    url: str
    key: str
    admin_key: str


@contextmanager
def running_engine(database: str, folder: Path) -> Generator[RunningEngine]:
    """An engine and a worker for the tasks of `jobs`, until the end of the tests."""
    key, admin_key = f"{KEYS[database]}{secrets.token_hex(12)}", secrets.token_hex(16)
    with ExitStack() as stack:
        settings = {
            "RUNFOLD_DATABASE_URL": f"sqlite:///{folder / 'ledger.db'}",
            "RUNFOLD_PORT": "0",
            "RUNFOLD_SECRET_KEY": key,
            "RUNFOLD_ADMIN_KEY": admin_key,
            "RUNFOLD_VERIFY_PER_SECOND": "0",
            "RUNFOLD_LOG_LEVEL": "warning",
        }
        if database == "postgres":
            schema = stack.enter_context(schema_of_its_own())
            settings |= {"RUNFOLD_DATABASE_URL": database_url(), "RUNFOLD_DATABASE_SCHEMA": schema}
            settings["RUNFOLD_ENCRYPTION_KEY"] = secrets.token_hex(32)
        command, environment = program("app", "serve")
        engine = stack.enter_context(_process(command, environment | settings, folder, folder / "engine.log"))
        url = _said(engine, LISTENING, folder / "engine.log").removeprefix(LISTENING)
        command = [sys.executable, "-m", "runfold.worker", str(JOBS), "--processes", "1"]
        known = {"RUNFOLD_API_URL": url, "RUNFOLD_SECRET_KEY": key, "PYTHONPATH": str(ROOT)}
        worker = stack.enter_context(_process(command, {**os.environ, **known}, folder, folder / "worker.log"))
        _said(worker, READY, folder / "worker.log")
        yield RunningEngine(url, key, admin_key)


@contextmanager
def _process(
    command: list[str], environment: Mapping[str, str], folder: Path, log: Path
) -> Generator["subprocess.Popen[str]"]:
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None, "it is a pipe"
        process.stdout.close()


def _said(process: "subprocess.Popen[str]", words: str, log: Path) -> str:
    """The line with these words; what it says after that is read and forgotten."""
    assert process.stdout is not None, "it is a pipe"
    too_late = threading.Timer(START_SECONDS, process.kill)
    too_late.start()
    try:
        for line in process.stdout:
            if words in line:
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return line.strip()
    finally:
        too_late.cancel()
    raise AssertionError(f"It did not start: {log.read_text(errors='replace')}")
