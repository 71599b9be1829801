"""Lists of schedules: every backend gives the newest first, a page at a time, and forgets what was deleted."""

from msgspec import Raw

from domain import events as e
from domain.calendar import Cron, Tick
from domain.events import Event, Plan, Recorded, Target
from domain.schedule import Schedule
from domain.timing import Timetable
from projections.ports import ReadModels
from projections.schedules import ScheduleRow
from tests.adapters.read_models import apply

TICK = Tick(9_000, "1970-01-01T01:00:09", "Europe/Berlin", "gap", 5)
PLAN = Plan(Target("greet", Raw(b'{"a": 1}'), metadata=Raw(b"null")), Timetable(Cron("0 9 * * *", "Europe/Berlin")))


def told(*happened: tuple[str, Event], environment: str = "env_a", behind: int = 0) -> list[Recorded]:
    """These events, one a second."""
    versions: dict[str, int] = {}
    records: list[Recorded] = []
    for position, (stream, event) in enumerate(happened, behind + 1):
        versions[stream] = versions.get(stream, 0) + 1
        at = position * 1_000
        records.append(Recorded(position, stream, versions[stream], environment, at, at, "test", "test", event))
    return records


def created(key: str | None = None) -> e.ScheduleCreated:
    return e.ScheduleCreated("IMPERATIVE", PLAN, TICK, key)


def listed(read_models: ReadModels, offset: int = 0, limit: int = 10) -> tuple[list[str], int]:
    rows, count = read_models.list_schedules("env_a", offset=offset, limit=limit)
    return [row.id for row in rows], count


def test_a_row_has_all_that_the_events_told(read_models: ReadModels) -> None:
    fired = e.TicksFired(TICK, ("run_1",), None)
    apply(read_models, told(("sched_1", created("mine")), ("sched_1", fired)))

    schedule = Schedule(
        *("sched_1", 2, "env_a", "IMPERATIVE", PLAN, 1_000, 1_000),
        last=TICK.at,
        deduplication_key="mine",
        behind=TICK.at,
        local=TICK.local,
    )
    assert read_models.list_schedules("env_a", offset=0, limit=1) == (
        [ScheduleRow("sched_1", "env_a", 1_000, 2, schedule)],
        1,
    )
    assert read_models.get_schedule("sched_1") == ScheduleRow("sched_1", "env_a", 1_000, 2, schedule)
    assert read_models.get_schedule("sched_\0") is None


def test_pages_go_from_the_newest_to_the_oldest(read_models: ReadModels) -> None:
    apply(read_models, told(*((f"sched_{n}", created()) for n in (3, 1, 2))))

    assert listed(read_models) == (["sched_2", "sched_1", "sched_3"], 3)
    assert listed(read_models, 0, 2) == (["sched_2", "sched_1"], 3)
    assert listed(read_models, 2, 2) == (["sched_3"], 3)
    assert listed(read_models, 4, 2) == ([], 3)


def test_what_was_deleted_is_gone_whether_it_was_stored_before_or_not(read_models: ReadModels) -> None:
    apply(read_models, told(("sched_1", created()), ("sched_2", created())))
    later = told(("sched_1", e.ScheduleDeleted()), ("sched_3", created()), ("sched_3", e.ScheduleDeleted()), behind=2)
    later[0] = Recorded(3, "sched_1", 2, "env_a", 3_000, 3_000, "test", "test", e.ScheduleDeleted())
    apply(read_models, later)

    assert listed(read_models) == (["sched_2"], 1)
    assert [state.id for state in read_models.checkpoint()[0]] == ["sched_2"]


def test_another_environment_has_other_schedules(read_models: ReadModels) -> None:
    apply(read_models, told(("sched_1", created()), environment="env_b"))

    assert listed(read_models) == ([], 0)
