"""Runs that go on in code which was changed while they waited."""

from typing import Any

import pytest

from runfold import Context, Run, SyncContext, Task, aio, task, wait
from runfold.testing import Clock, Serve, finished

BOTH = pytest.mark.parametrize("kind", ["async", "sync"])
DONE: list[str] = []
NOW: list[str] = []
"""What the code does now, one after the other."""


def do(what: str) -> str:
    DONE.append(what)
    return what


@task(id="follow")
async def follow(_payload: None, ctx: Context) -> None:
    for name in NOW:
        if name == "wait":
            await aio.wait.for_("1d")
        else:
            await ctx.step(name, do, name)


@task(id="follow-sync")
def follow_sync(_payload: None, ctx: SyncContext) -> None:
    for name in NOW:
        if name == "wait":
            wait.for_("1d")
        else:
            ctx.step(name, do, name)


TASKS: dict[str, Task[Any, Any]] = {"async": follow, "sync": follow_sync}


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    DONE.clear()


def changed(kind: str, serve: Serve, clock: Clock, now: list[str]) -> Run[Any, Any]:
    """The end of a run that charged, packed and waited, and whose code does this now."""
    NOW[:] = ["charge", "pack", "wait", "thank"]
    serve(TASKS[kind], freeze_after=0)
    run = TASKS[kind].trigger(None)
    clock.settle()
    assert DONE == ["charge", "pack"]
    NOW[:] = now
    clock.advance("1d")
    return finished(run)


@BOTH
def test_a_run_goes_on_in_code_that_was_not_changed(kind: str, runfold_serve: Serve, runfold_clock: Clock) -> None:
    result = changed(kind, runfold_serve, runfold_clock, ["charge", "pack", "wait", "thank"])

    assert result.is_success
    assert DONE == ["charge", "pack", "thank"]


@BOTH
@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        ([], '"charge" came first, and now the code ends without it.'),
        (["charge"], '"pack" came after "charge", and now the code ends without it.'),
        (["charge", "thank"], 'After "charge" came "pack", and now "thank".'),
        (["charge", "pack"], '"wait.for" came after "pack", and now the code ends without it.'),
    ],
)
def test_a_run_whose_code_does_not_ask_for_what_it_did_fails_and_says_what_differs(
    kind: str, now: list[str], sentence: str, runfold_serve: Serve, runfold_clock: Clock
) -> None:
    result = changed(kind, runfold_serve, runfold_clock, now)

    assert result.error is not None
    assert (result.error.name, result.error.message) == ("JournalMismatchError", sentence)
    assert DONE == ["charge", "pack"]
