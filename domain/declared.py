"""The plan of the schedule that a task declares."""

from domain.calendar import Cron
from domain.errors import InvalidInput
from domain.events import Plan, Target, TaskSettings
from domain.timing import Every, Timetable, Timing


def plan_of(task: TaskSettings) -> Plan:
    """The plan that the task's code asks for. Raises InvalidInput unless it names one timing."""
    said = task.schedule
    assert said is not None, "only a task that declares a schedule has a plan"
    timing: Timing
    if said.cron is not None and said.every is None:
        timing = Cron(said.cron, said.timezone, said.dst_gap, said.dst_fold)
    elif said.every is not None and said.cron is None:
        timing = Every(said.every)
    else:
        raise InvalidInput(f"The schedule of the task {task.id!r} has either cron or every.")
    return Plan(
        Target(task.id),
        Timetable(timing, jitter_ms=said.jitter),
        said.overlap,
        said.catch_up,
        said.catch_up_window,
        said.catch_up_max,
    )
