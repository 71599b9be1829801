"""What users see of the plugin in a run of pytest: what it shows of failures, and that nothing stays behind."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "runfold.testing.plugin", "-p", "no:cacheprovider", "-p", "no:asyncio")
SECONDS = 60

JOBS = """
from runfold import task

@task
async def greet(name: str) -> str:
    return f"Hello, {name}!"
"""
ENDS_BY_FORCE = """
import os, pathlib, signal

def test_is_ended(runfold_engine, runfold_environment):
    pathlib.Path("address").write_text(runfold_engine.url)
    os.kill(os.getpid(), signal.{signal})
    signal.pause()
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of a user, whose tests find this checkout."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(jobs=JOBS)
    return pytester


def test_a_failed_test_shows_its_runs_and_what_the_engine_said(project: pytest.Pytester) -> None:
    project.makepyfile("""
        from jobs import greet

        def test_fails(runfold_engine, runfold_worker):
            handle = greet.trigger("Ada", delay="1h")
            with runfold_engine.log.open("a") as log:
                log.write("something went wrong in the engine")
            assert handle.id == "another"

        def test_passes(runfold_worker):
            greet.trigger("Bob")
    """)

    result = project.runpytest_subprocess(*PLUGIN)

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines(
        [
            "-+ Runs -+",
            "run_.* greet +DELAYED +It is delayed until .*",
            "-+ Log of the engine -+",
            "something went wrong.*",
        ]
    )


def test_what_fails_when_the_engine_has_ended_is_told_as_it_is(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest
        from jobs import greet

        @pytest.fixture
        def mine(runfold_worker):
            yield
            assert False, "my own teardown"

        def test_last(mine):
            pass
    """)

    result = project.runpytest_subprocess(*PLUGIN)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*AssertionError: my own teardown*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_test_without_tasks_is_told_where_they_may_be(project: pytest.Pytester) -> None:
    project.makepyfile("def test_nothing(runfold_worker): pass")

    result = project.runpytest_subprocess(*PLUGIN)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ValueError: There are no tasks in test_a_test_without_tasks*: import them there*"])


def test_a_project_says_for_all_of_its_tests_which_tasks_are_served(project: pytest.Pytester) -> None:
    project.makeconftest("""
        import jobs
        import pytest

        @pytest.fixture
        def runfold_tasks():
            return [jobs]
    """)
    project.makepyfile("""
        import runfold
        from runfold.testing import finished

        def test_greets(runfold_worker):
            assert finished(runfold.tasks.trigger("greet", "Ada")).output == "Hello, Ada!"
    """)

    project.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_the_settings_are_those_from_before_after_a_test(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import os
        import runfold
        from runfold.config import current_settings

        runfold.configure(api_url="http://engine.example", secret_key="theirs")

        def test_during(runfold_environment):
            assert current_settings() == runfold_environment.settings
            assert os.environ["RUNFOLD_SECRET_KEY"] == runfold_environment.settings.secret_key

        def test_after():
            assert (current_settings().api_url, current_settings().secret_key) == ("http://engine.example", "theirs")
            assert "RUNFOLD_SECRET_KEY" not in os.environ
    """)

    project.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=2)


def test_tests_without_the_fixtures_start_no_engine(project: pytest.Pytester) -> None:
    project.makepyfile("""
        def test_nothing(tmp_path_factory):
            assert not list(tmp_path_factory.getbasetemp().glob("runfold*"))
    """)

    project.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_an_engine_that_does_not_start_says_why(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest
        from runfold.testing import EngineError
        from runfold.testing.engine import running_engine

        def test_broken(tmp_path):
            (tmp_path / "ledger.db").write_text("This is no database, and long enough to be taken for one. " * 100)
            with pytest.raises(EngineError, match="The engine did not start:\\n(?s:.*)not a database"):
                with running_engine(tmp_path):
                    pass
    """)

    project.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_the_engine_ends_with_the_tests_however_they_end(project: pytest.Pytester, how: str) -> None:
    file = project.makepyfile(ENDS_BY_FORCE.format(signal=how))

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, file], capture_output=True, check=False, timeout=SECONDS
    )

    assert ended.returncode == {"SIGINT": pytest.ExitCode.INTERRUPTED}.get(how, -getattr(signal, how))
    address = (project.path / "address").read_text()
    deadline = time.monotonic() + SECONDS
    while _answers(address):
        assert time.monotonic() < deadline, "the engine goes on"
        # At the boundary between processes there is no event to await.
        time.sleep(0.05)


def _answers(address: str) -> bool:
    url = urlsplit(address)
    with socket.socket() as client:
        return client.connect_ex((url.hostname, url.port)) == 0
