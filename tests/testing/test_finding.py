"""Which tasks a test means when it names modules and tasks."""

import sys
from types import ModuleType
from typing import Any

import pytest

from runfold import Task, errors, task
from runfold.testing.finding import Source, tasks_of
from tests.testing import letters
from tests.testing.letters import greet

ALL = ["greet", "remind", "remind_from_a_thread", "report", "sign", "stubborn"]


def module(monkeypatch: pytest.MonkeyPatch, **names: object) -> ModuleType:
    made = ModuleType("tests_of_a_user")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    vars(made).update(names)
    return made


def test_a_module_stands_for_its_tasks() -> None:
    assert sorted(tasks_of([letters])) == ALL


@pytest.mark.parametrize("names", [{"letters": letters}, {"greet": greet}], ids=["its module", "one of them"])
def test_a_module_that_imports_tasks_stands_for_all_of_their_module(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, object]
) -> None:
    assert sorted(tasks_of([module(monkeypatch, **names)])) == ALL


def test_a_task_stands_for_itself() -> None:
    assert tasks_of([greet, greet]) == {"greet": greet}


def test_what_another_test_has_inside_of_itself_is_not_meant() -> None:
    @task
    async def inner(_: None) -> None: ...

    assert (tasks_of([inner]), "inner" in tasks_of([sys.modules[__name__]])) == ({"inner": inner}, False)


def test_two_tasks_with_one_id_are_refused() -> None:
    @task(id="greet")
    async def another(_: None) -> None: ...

    with pytest.raises(ValueError, match="Two tasks are called 'greet'"):
        tasks_of([letters, another])


@pytest.mark.parametrize(
    ("sources", "place"),
    [([], "There are no tasks in nothing"), ([errors], "There are no tasks in runfold.errors")],
)
def test_no_task_is_a_mistake(sources: list[Source], place: str) -> None:
    with pytest.raises(ValueError, match=place):
        tasks_of(sources)


def test_a_wrong_annotation_is_told_at_once() -> None:
    async def broken(_: Any) -> None: ...

    broken.__annotations__["_"] = "Nothing"
    made: Task[Any, None] = Task(broken)

    with pytest.raises(TypeError, match="Nothing"):
        tasks_of([made])
