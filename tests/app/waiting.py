"""What a worker says of code that waits, and what it is told when the waiting is over."""

from typing import Any

from tests.app.harness import START_MS, Engine, report

DAY_MS = 86_400_000
FOR_A_DAY: dict[str, Any] = {"until": START_MS + DAY_MS}


def entry(index: int, name: str = "wait", **more: Any) -> dict[str, Any]:
    """A place in a journal."""
    return {"index": index, "name": name} | more


def stepped(run: dict[str, Any], index: int, output: Any, name: str = "charge", **more: Any) -> dict[str, Any]:
    """A step returned."""
    return report(run, "step_succeeded", entry=entry(index, name, **more), output=output)


def waits(run: dict[str, Any], index: int, *targets: str, **more: Any) -> dict[str, Any]:
    """The code waits for these: for all, for `any`, at most `until`."""
    return report(run, "waiting", entry=entry(index), targets=targets, **more)


def blocked(run: dict[str, Any], *indexes: int) -> dict[str, Any]:
    """Nothing goes on but these waits."""
    return report(run, "blocked", waits=indexes)


async def block(engine: Engine, version: str, *waitings: dict[str, Any]) -> dict[str, Any]:
    """Start the next run, whose code then does nothing but wait, in as many branches as it is told of."""
    handed = await engine.take(version)
    reports = [waits(handed, n, *each.get("targets", ()), **_without_targets(each)) for n, each in enumerate(waitings)]
    answer = await engine.turn(version, *reports, blocked(handed, *range(len(waitings))), want=0)
    assert answer["refused"] == []
    return handed


def _without_targets(waiting: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in waiting.items() if name != "targets"}
