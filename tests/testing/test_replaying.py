"""The Python of the page about running again from a step does what the page says."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import runfold
from runfold import Context, Run, task
from runfold.testing import Serve, finished

pytest_plugins = ["runfold.testing.plugin"]
PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "run-again-from-a-step.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
DONE: list[str] = []


def do(what: str, *about: object) -> Any:
    DONE.append(" ".join(map(str, [what, *about])))
    return f"{what} done"


@task(id="order-to-run-again")
async def order(payload: dict[str, int], ctx: Context) -> list[Any]:
    charged = await ctx.step("charge", do, "charge", payload["amount"])
    packed = [await ctx.step("pack", do, "pack", number) for number in range(2)]
    return [charged, packed, await ctx.step("ship", do, "ship", payload["amount"])]


@pytest.fixture
def done(runfold_serve: Serve) -> Run[Any, Any]:
    """An order that was done once."""
    runfold_serve(order)
    run = finished(order.trigger({"amount": 10}))
    DONE.clear()
    return run


def of_page(block: str, run: str) -> Any:
    """What its last line makes."""
    names: dict[str, Any] = {"run": run, "runs": runfold.runs}
    *lines, last = ast.parse(block).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(lines, []), "page", "exec"), names)  # noqa: S102 (it is our own page)
    return eval(compile(ast.Expression(last.value), "page", "eval"), names)  # noqa: S307 (as above)


def test_the_page_has_these_examples() -> None:
    assert len(BLOCKS) == 2


def test_the_first_replays_from_the_step_that_matters(done: Run[Any, Any]) -> None:
    again = finished(of_page(BLOCKS[0], done.id))

    assert again.output == done.output == ["charge done", ["pack done", "pack done"], "ship done"]
    assert DONE == ["ship 10"]
    assert again.taken_over is not None
    assert (again.taken_over.run_id, again.taken_over.entries, again.taken_over.edited) == (done.id, 3, ())


def test_the_second_replays_with_other_results_and_another_payload(done: Run[Any, Any]) -> None:
    again = finished(of_page(BLOCKS[1], done.id))

    assert again.output == [{"id": "by hand"}, ["pack done", None], "ship done"]
    assert DONE == ["ship 20"]
    assert again.taken_over is not None
    assert again.taken_over.edited == (0, 2)
