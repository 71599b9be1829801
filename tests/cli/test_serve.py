"""`runfold serve` as a process, and the launcher around all commands."""

import signal
from pathlib import Path

import pytest

import runfold
from tests.cli.installation import Installation, Process, wait_until


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_engine_that_is_asked_to_stop_ends_well(
    installation: Installation, tmp_path: Path, how: signal.Signals
) -> None:
    with installation.start("serve", cwd=tmp_path, RUNFOLD_PORT="0") as engine:
        key, listening = engine.line(), engine.line()
        code = engine.end(how)

    assert key.startswith("Secret key of the production environment, shown this once: tr_prod_")
    assert listening.startswith("Runfold is listening on http://127.0.0.1:")
    assert code == 0
    assert "Traceback" not in engine.stderr.read_text()
    assert (tmp_path / ".runfold" / "ledger.views.db").is_file()


def test_a_second_engine_on_a_ledger_is_refused(installation: Installation, tmp_path: Path) -> None:
    url = "sqlite:///data/jobs.db"
    with installation.start("serve", cwd=tmp_path, RUNFOLD_PORT="0", RUNFOLD_DATABASE_URL=url) as engine:
        engine.line()
        second = installation.run("serve", cwd=tmp_path, code=1, RUNFOLD_PORT="0", RUNFOLD_DATABASE_URL=url)

    assert second.stderr == "Another engine is running on this database (data/jobs.db.lock is locked).\n"


def test_the_sinks_of_an_engine_that_starts_again_have_nothing_to_wait_for(
    installation: Installation, tmp_path: Path
) -> None:
    file, key = tmp_path / "sinks" / "all.jsonl", "tr_dev_0123456789abcdef"
    settings = {"RUNFOLD_PORT": "0", "RUNFOLD_SINKS_FOLDER": str(file.parent), "RUNFOLD_SECRET_KEY": key}

    def ask(engine: Process, *arguments: str) -> None:
        url = engine.line().split()[-1]
        installation.run(*arguments, cwd=tmp_path, RUNFOLD_API_URL=url, RUNFOLD_SECRET_KEY=key)

    with installation.start("serve", cwd=tmp_path, **settings) as engine:
        ask(engine, "sink", "add", "audit", "--file", file.name)

    with installation.start("serve", cwd=tmp_path, **settings) as engine:
        ask(engine, "runs", "trigger", "greet")
        wait_until(lambda: file.is_file() and "RunTriggered" in file.read_text(), engine.stderr.read_text)
        said = engine.stderr.read_text()

    assert "a sink has to wait" not in said


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"RUNFOLD_LEASE_MS": "1"}, "The setting RUNFOLD_LEASE_MS is '1': "),
        (
            {"RUNFOLD_DATABASE_URL": "sqlite:////dev/null/x.db"},
            "The setting RUNFOLD_DATABASE_URL names a file in /dev/null",
        ),
        (
            {"RUNFOLD_TEST_CLOCK": "1", "RUNFOLD_DATABASE_URL": "postgresql://localhost/production"},
            "The setting RUNFOLD_TEST_CLOCK is for engines on a file: ",
        ),
    ],
)
def test_a_wrong_setting_stops_the_start(
    installation: Installation, tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    done = installation.run("serve", cwd=tmp_path, code=2, **variables)

    assert done.stdout == ""
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "is_ignored"), [(".runfold/ledger.db", True), ("new/ledger.db", True), ("there/ledger.db", False)]
)
def test_a_folder_that_it_makes_keeps_its_keys_out_of_repositories(
    installation: Installation, tmp_path: Path, url: str, *, is_ignored: bool
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / ".runfold").mkdir()
    variables = {"RUNFOLD_PORT": "0", "RUNFOLD_DATABASE_URL": f"sqlite:///{url}"}
    with installation.start("serve", cwd=tmp_path, **variables) as engine:
        engine.line()

    ignored = (tmp_path / url).parent / ".gitignore"
    assert (ignored.read_text() if ignored.exists() else "") == ("*\n" if is_ignored else "")


def test_a_misspelled_setting_is_told_without_its_value(installation: Installation, tmp_path: Path) -> None:
    with installation.start("serve", cwd=tmp_path, RUNFOLD_PORT="0", RUNFOLD_SECERT_KEY="tr_dev_0123456789") as engine:
        engine.line()
        engine.line()

    [warning] = [line for line in engine.stderr.read_text().splitlines() if "RUNFOLD_SECERT_KEY" in line]
    assert '"probably_meant": "RUNFOLD_SECRET_KEY"' in warning
    assert "0123456789" not in warning


def test_no_clock_is_moved_under_a_ledger_that_holds_events(installation: Installation, tmp_path: Path) -> None:
    with installation.start("serve", cwd=tmp_path, RUNFOLD_PORT="0") as engine:
        engine.line()
        engine.line()

    done = installation.run("serve", cwd=tmp_path, code=2, RUNFOLD_PORT="0", RUNFOLD_TEST_CLOCK="1")

    assert done.stderr == ("The setting RUNFOLD_TEST_CLOCK takes a new file: the ledger holds events of real time.\n")


def test_the_command_tells_its_version(installation: Installation, tmp_path: Path) -> None:
    assert installation.run("--version", cwd=tmp_path).stdout == f"runfold {runfold.__version__}\n"


def test_help_has_all_commands(installation: Installation, tmp_path: Path) -> None:
    told = installation.run("--help", cwd=tmp_path).stdout

    assert [word for word in ("dev", "serve", "worker", "runs", "projections") if f"│ {word} " not in told] == []


def test_a_worker_is_helped_by_its_own_program(installation: Installation, tmp_path: Path) -> None:
    assert installation.run("worker", "--help", cwd=tmp_path).stdout.startswith("usage: runfold worker ")


def test_the_engine_runs_no_code_of_users(installation: Installation, tmp_path: Path) -> None:
    done = installation.run("-m", "app", "worker", "jobs.py", "--grace", "1", cwd=tmp_path, code=2, program="python")

    assert "python -m runfold.worker" in done.stderr
