"""`runfold schedules`, against a real engine."""

from datetime import datetime

import pytest

from adapters.calendar import CronCalendar
from runfold import runs, schedules
from runfold.schedule import TickReport
from tests.cli.commandline import CommandLine


def test_a_schedule_is_listed_paused_and_resumed(command: CommandLine) -> None:
    command.run("schedules", "list")
    made = schedules.create("add", cron="0 9 * * 1-5", timezone="Europe/Berlin", payload=[1, 2])
    table = command.run("schedules", "list").splitlines()
    paused = command.json("schedules", "pause", made.id)
    shown = command.run("schedules", "pause", made.id)
    resumed = command.json("schedules", "resume", made.id)

    assert table[0].split() == ["schedule", "task", "timing", "zone", "next", "run", "last", "run"]
    assert [line.split()[:8] for line in table[1:]] == [
        [made.id, "add", "0", "9", "*", "*", "1-5", "Europe/Berlin"],
    ]
    assert (paused["active"], paused["nextRun"]) == (False, None)
    assert " paused " in shown
    assert resumed["active"]
    schedules.delete(made.id)
    assert command.run("schedules", "list") == "No schedules.\n"


def test_a_schedule_is_run_now(command: CommandLine) -> None:
    made = schedules.create("add", every="1h", payload=[1, 2])
    run = command.run("schedules", "run", made.id).strip()
    told = command.json("schedules", "audit", made.id, "--from", "2026-01-01", "--to", "2099-01-01")

    assert runs.retrieve(run).task == "add"
    assert [(each["fate"], each["run"]) for each in told[made.id]["ticks"]] == [("MANUAL", run)]
    schedules.delete(made.id)


def test_the_next_times_of_an_expression_are_shown_with_what_moved_them(command: CommandLine) -> None:
    lines = command.run(
        "schedules", "next", "30 2 * * 0", "--timezone", "America/New_York", "--limit", "60"
    ).splitlines()
    told = command.json("schedules", "next", "*/5 * * * *", "--limit", "2")

    assert lines[0] == "At 02:30 on Sunday"
    assert lines[1].split("  ")[0] == "local time"
    assert len([line for line in lines if line.endswith("  gap")]) >= 1
    assert told["description"] == "Every fifth minute of every hour"
    assert [each["timezone"] for each in told["ticks"]] == ["UTC", "UTC"]


def test_an_audit_tells_the_fates_and_a_backfill_finds_nothing_to_do(command: CommandLine) -> None:
    made = schedules.create("add", every="1h", payload=[1])
    span = ("--from", "2026-01-01", "--to", "2026-01-02T00:00:00+0000")
    table = command.run("schedules", "audit", *span).splitlines()
    told = command.json("schedules", "audit", made.id, *span)

    assert [line.split() for line in table] == [["schedule", "ticks", "fates"], [made.id, "0"]]
    assert told == {made.id: {"ticks": [], "problems": [], "notes": [], "tzdata": CronCalendar().version}}
    assert command.run("schedules", "backfill", made.id, *span) == "Every tick has its run.\n"
    assert command.json("schedules", "backfill", made.id, *span) == []
    schedules.delete(made.id)


def test_an_audit_that_finds_something_ends_with_1_and_says_what(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = schedules.create("add", every="1h", payload=[1])
    report = TickReport(ticks=(), problems=("The tick 2026-01-01T09:00:00 UTC was due, and nothing became of it.",))

    def ticks(_schedule: str, _start: datetime, _end: datetime) -> TickReport:
        return report

    monkeypatch.setattr(schedules, "ticks", ticks)
    span = ("--from", "2026-01-01", "--to", "2026-01-02")
    lines = command.run("schedules", "audit", *span, code=1).splitlines()

    assert lines[-1] == f"{made.id}: {report.problems[0]}"
    assert command.json("schedules", "audit", *span, code=1)[made.id]["problems"] == list(report.problems)
    schedules.delete(made.id)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("pause", "sched_unknown"), 1, "Schedule sched_unknown not found."),
        (("run", "sched_unknown"), 1, "Schedule sched_unknown not found."),
        (("resume", "sched_unknown"), 1, "Schedule sched_unknown not found."),
        (("next", "61 * * * *"), 1, '61 is no minute ("61 * * * *").'),
        (("next", "0 9 * * *", "--timezone", "Mars"), 1, "There is no time zone 'Mars'"),
        (
            ("audit", "sched_unknown", "--from", "2026-01-01", "--to", "2026-01-02"),
            1,
            "Schedule sched_unknown not found.",
        ),
        (("audit", "--from", "soon", "--to", "2026-01-02"), 2, "--from"),
        (("backfill", "sched_unknown", "--from", "2026-01-02", "--to", "2026-01-01"), 1, "end before that"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    command: CommandLine, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    assert sentence in command.ask("schedules", *arguments, code=code).stderr
