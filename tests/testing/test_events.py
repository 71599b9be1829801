"""Named events with a real engine and a real worker, while a test puts the clock forward."""

from typing import Any

import runfold
from runfold import Context, Task, events, task
from runfold.testing import Clock, Serve

pytest_plugins = ["runfold.testing.plugin"]


def test_an_event_for_later_is_delivered_when_the_clock_is_there(runfold_serve: Serve, runfold_clock: Clock) -> None:
    @task(id="remind", on_event="trial.ends")
    async def remind(user: dict[str, Any], ctx: Context) -> list[str]:
        assert ctx.event is not None
        return [user["name"], ctx.event.id]

    tasks: list[Task[Any, Any]] = [remind]
    runfold_serve(*tasks)
    sent = events.send("trial.ends", {"name": "Ada"}, id="trial-1", deliver="14d")
    runfold_clock.advance("13d")
    assert events.retrieve(sent).status == "PENDING"
    runfold_clock.advance("1d")

    (run,) = events.retrieve(sent).runs
    assert (run.task, run.status) == ("remind", "COMPLETED")
    assert runfold.runs.retrieve(run.id).output == ["Ada", "trial-1"]
