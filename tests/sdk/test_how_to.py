"""The how-to pages about tasks are true: their Python runs, and makes the tasks that they tell of."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest

from domain.event_filter import matches
from runfold import Task
from runfold.worker.registering import settings_of

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"


def tasks_of(page: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Task[Any, Any]]:
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for block in re.findall(r"```python\n(.*?)```", (FOLDER / page).read_text(), flags=re.DOTALL):
        exec(block, module.__dict__)  # noqa: S102 (it is our own page)
    return {each.id: each for each in vars(module).values() if isinstance(each, Task)}


def test_the_page_about_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings_of(tasks_of("give-a-run-more-memory.md", monkeypatch)["resize"])

    assert (told["machine"], told["retry"]["outOfMemory"]) == ("small-1x", {"machine": "large-1x"})


def test_the_page_about_events(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = tasks_of("start-tasks-by-events.md", monkeypatch)
    told = {name: settings_of(tasks[name])["event"] for name in ("welcome", "call_new_customer")}

    assert told["welcome"] == {"name": "user.created"}
    assert matches({"name": "Ada", "plan": "pro", "age": 36}, told["call_new_customer"]["filter"])
    assert not matches({"name": "Ada", "plan": "pro", "age": 17}, told["call_new_customer"]["filter"])


def test_the_page_about_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings_of(tasks_of("act-for-someone.md", monkeypatch)["sync-repository"])

    assert (told["authResolver"], told["connections"]) == (True, ["github"])


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("do-a-thing-once-in-a-run.md", {"order", "pack"}),
        ("wait-in-a-run.md", {"remind", "rent", "square", "sum_of_squares", "race", "publish"}),
    ],
)
def test_the_pages_about_steps_and_waits(page: str, names: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = tasks_of(page, monkeypatch)

    assert {*tasks} == names
    assert all(settings_of(task) for task in tasks.values())


def test_the_page_about_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings_of(tasks_of("check-payloads-before-they-run.md", monkeypatch)["send-letter"])
    schema = jsonschema_rs.Draft202012Validator(told["payloadSchema"])

    assert schema.is_valid({"to": "ada", "copies": 2, "tags": ["a"], "more": None})
    assert not any(map(schema.is_valid, ({}, {"to": 3}, {"to": "ada", "copies": "2"}, {"to": "ada", "tags": [1]}, [])))
