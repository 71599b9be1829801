"""Logs of our own, of libraries and of the web server, in a process that has set them up."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import logging, warnings
import structlog
from app import logs

log = structlog.get_logger("app.engine.start")  # before the set-up, as modules do it
logs.set_up("info", {form!r})
log.debug("unheard")
log.info("ready", port=7650)
logging.getLogger("some.library").warning("%s is %d", "it", 3)
logging.getLogger("uvicorn.error").info("Started", extra={{"color_message": "twice"}})
logging.getLogger("httpx").info("one line for each request")
warnings.warn("this is old", stacklevel=1)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def logged(form: str | None) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(form=form)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_machines_get_one_object_a_line() -> None:
    entries = [json.loads(line) for line in logged("json")]

    assert [(each["level"], each["logger"], each["event"].split("\n")[0]) for each in entries[:3]] == [
        ("info", "app.engine.start", "ready"),
        ("warning", "some.library", "it is 3"),
        ("info", "uvicorn.error", "Started"),
    ]
    assert entries[0]["port"] == 7650
    assert "color_message" not in entries[2]
    assert (entries[3]["logger"], "this is old" in entries[3]["event"]) == ("py.warnings", True)
    assert "ZeroDivisionError" in entries[4]["exception"]
    assert len(entries) == 5


def test_people_get_lines_they_can_read() -> None:
    lines = logged("console")

    assert lines[0].split()[1:] == ["[info", "]", "ready", "[app.engine.start]", "port=7650"]
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_without_a_terminal_it_is_a_machine_that_reads() -> None:
    assert json.loads(logged(None)[0])["event"] == "ready"
