"""What the engine kept at a moment of the past: the states of an environment, folded again up to there.

Whoever reads states, such as queues and explanations, reads these in the same way as those of now. Only the workers
that were connected are in no ledger.
"""

from collections.abc import Iterable, Sequence

from app.history.moments import Moment
from domain import connection, queue
from domain.environment import Environment
from domain.errors import InvalidInput, NotFound
from domain.events import Recorded, RunArchived, RunTriggered, ScheduleDeleted
from domain.explain import Explainer
from domain.explanation import Explanation
from domain.memory import Memory
from domain.ports import Ledger
from domain.run import Run
from domain.schedule import SCHED, Schedule
from domain.states import fold, is_kept, kind_of
from domain.status import Status
from projections.lasting import LASTING_MIN
from projections.ports import ReadModels

UNFINISHED_MAX = 10_000
"""Above so many unfinished runs nobody waits for the states of all of them to be folded again."""


def memory_then(
    ledger: Ledger, read_models: ReadModels, environment: str, moment: Moment, others: Iterable[str] = ()
) -> Memory:
    """The environment, its unfinished runs, and these other aggregates, as they were (this blocks).

    Runs that were archived since are left out, as they are of every list and count.
    Raises InvalidInput when so many runs were unfinished that this takes too long.
    """
    runs = _going_on(ledger, read_models, environment, moment)
    archived = {run for run, last in ledger.read_endings(runs).items() if isinstance(last.event, RunArchived)}
    return _memory(ledger, [environment, *(runs - archived), *others], moment)


def environment_then(ledger: Ledger, environment: str, moment: Moment) -> Environment:
    """The environment as it was (this blocks). Raises NotFound."""
    found = ledger.read_streams([environment], upto=moment.position)
    state = fold(found.get(environment, ()))
    if not isinstance(state, Environment):
        raise NotFound(f"Environment {environment} did not exist yet.")
    return state


def explained_then(ledger: Ledger, read_models: ReadModels, history: Sequence[Recorded], moment: Moment) -> Explanation:
    """Why the run of a history that ends at the moment was where it was (this blocks). Raises InvalidInput."""
    run = fold(history)
    assert isinstance(run, Run), "a history of a run begins with its trigger"
    environment = environment_then(ledger, run.environment, moment)
    settings = environment.settings(run.task, run.lock or environment.home(run.task))
    others = [
        queue.stream_of(environment.id, run.queue),
        *(connection.stream_of(environment.id, name) for name in (settings.connections if settings else ())),
        *(target for wait in run.waits for target in wait.targets),
        *([run.job] if run.job is not None else ()),
    ]
    if _depends_on_others(run):
        # What was archived since had slots then: as many of those as are still known are told.
        others += [history[0].stream, *_going_on(ledger, read_models, environment.id, moment)]
    memory = _memory(ledger, [environment.id, *others], moment)
    return Explainer(memory, None, _nobody_knows, moment.wall).explain(run)


def schedules_then(
    ledger: Ledger, environment: str, moment: Moment, *, offset: int, limit: int
) -> tuple[list[Schedule], int]:
    """A page of the schedules that there were, the newest first, and how many there were in all (this blocks)."""
    beginnings = ledger.read_beginnings(ledger.streams_of(SCHED))
    made = {
        stream: first
        for stream, first in beginnings.items()
        if first.environment == environment and first.position <= moment.position
    }
    # Nothing follows the end of a schedule.
    deleted = {
        stream
        for stream, last in ledger.read_endings(made).items()
        if isinstance(last.event, ScheduleDeleted) and last.position <= moment.position
    }
    there = sorted(made.keys() - deleted, key=lambda each: (made[each].recorded_at, each), reverse=True)
    shown = there[offset : offset + limit]
    return [schedule_then(ledger, each, moment) for each in shown], len(there)


def schedule_then(ledger: Ledger, schedule: str, moment: Moment) -> Schedule:
    """A schedule as it was (this blocks). Raises NotFound: it was not there yet, or no more."""
    found = ledger.read_streams([schedule], upto=moment.position)
    state = fold(found.get(schedule, ()))
    if not isinstance(state, Schedule):
        raise NotFound(f"Schedule {schedule} did not exist yet.")
    if state.is_deleted:
        raise NotFound(f"Schedule {schedule} was deleted by then.")
    return state


def _going_on(ledger: Ledger, read_models: ReadModels, environment: str, moment: Moment) -> set[str]:
    """The runs that had begun and were not over, and some that were."""
    runs = set(read_models.going_on(environment, moment.position, UNFINISHED_MAX + 1))
    if len(runs) > UNFINISHED_MAX:
        raise InvalidInput(
            f"At event {moment.position} more than {UNFINISHED_MAX} runs of this environment were not over: too many to"
            " count again. Ask about single runs, or for a page of their list."
        )
    # Those that ended soon after they began did begin not long ago.
    recent = ledger.read_after(max(0, moment.position - LASTING_MIN), limit=LASTING_MIN, upto=moment.position)
    return runs | {
        each.stream for each in recent if each.environment == environment and isinstance(each.event, RunTriggered)
    }


def _memory(ledger: Ledger, streams: Iterable[str], moment: Moment) -> Memory:
    memory = Memory()
    histories = ledger.read_streams({*streams}, upto=moment.position)
    for stream, history in histories.items():
        state = fold(history)
        if state is not None and is_kept(state):
            memory.replace(stream, state)
    return memory


def _depends_on_others(run: Run) -> bool:
    """Whether it matters which other runs had slots, or were over."""
    is_of_batch = any(kind_of(target) == "batch" for wait in run.waits for target in wait.targets)
    return run.status is Status.QUEUED or run.is_awake or is_of_batch


def _nobody_knows(_environment: str, _version: str, _machine: str | None) -> bool:
    return False
