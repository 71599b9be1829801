"""The simulation with schedules in it: they are made, changed, paused and deleted while faults strike."""

from typing import Any

from adapters.calendar import CronCalendar
from domain import commands as c
from domain.commands import Command
from domain.draft import Answer
from domain.events import MANUAL, SCHEDULE, Plan, RunTriggered, ScheduleCreated, Target
from domain.schedule import OVERLAPS
from domain.tick_ledger import TickLedger
from domain.timing import At, Every, Timetable, Timing
from tests.simulation.clients import Client
from tests.simulation.rules import rule
from tests.simulation.simulation import ENVIRONMENT, FAULTS_MS, Simulation

CATCH_UPS = ("latest", "all", "none")
FOR_EVER = 2**53
A_DAY_MS = 86_400_000
TICKS_MAX = 10_000


class Planner(Client):
    """A client that says when the tasks are to run by themselves."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.schedules: list[str] = []

    def pause_all(self) -> None:
        """Let nothing come any more."""
        for schedule in self.schedules:
            self._ask(c.DeactivateSchedule, schedule=schedule)

    def _act(self) -> None:
        self.waiting -= 1
        chance = self._world.chance.random()
        if chance < 0.4 or not self.schedules:
            self._save()
        elif chance < 0.6:
            self._ask(c.ChangeSchedule, schedule=self._one(), plan=self._plan())
        else:
            if self._world.happens(0.2):
                self._run_now()
                return
            kinds: tuple[type[Command], ...] = (c.DeactivateSchedule, c.ActivateSchedule, c.ActivateSchedule)
            kind = c.DeleteSchedule if chance > 0.95 else kinds[self._world.draw(0, 2)]
            self._ask(kind, schedule=self._one())

    def _run_now(self) -> None:
        self._ask(
            c.RunSchedule,
            lambda: {"run": self._world.new_id("run")},
            schedule=self._one(),
            request=self._world.new_id("key_request"),
        )

    def _save(self) -> None:
        def hear(made: Answer) -> None:
            if isinstance(made, str):
                self.schedules.append(made)

        until = self._world.now().wall + A_DAY_MS
        request = self._world.new_id("key_request")
        self._ask(
            c.SaveSchedule,
            lambda: {"schedule": self._world.new_id("sched")},
            hear=hear,
            plan=self._plan(),
            key=request,
            key_until=until,
        )

    def _plan(self) -> Plan:
        draw, wall = self._world.draw, self._world.now().wall
        timing: Timing = Every(1, wall - draw(0, 60_000)) if self._world.happens(0.6) else At(wall + draw(1, 8_000))
        return Plan(
            Target(self._tasks[draw(0, len(self._tasks) - 1)]),
            Timetable(timing, jitter_ms=draw(0, 5_000) if self._world.happens(0.3) else 0),
            OVERLAPS[draw(0, 3)],
            CATCH_UPS[draw(0, 2)],
            draw(0, 200_000) if self._world.happens(0.5) else None,
            draw(1, 3),
        )

    def _one(self) -> str:
        return self.schedules[self._world.draw(0, len(self.schedules) - 1)]


class ScheduledSimulation(Simulation):
    """Everything that follows from one seed, and in the end an audit of every schedule."""

    def run(self) -> None:
        """Live through the faults, and hold what became of each tick against the calendar."""
        super().run()
        made = [each.stream for each in self.ledger.records if isinstance(each.event, ScheduleCreated)]
        by_hand: list[str | None] = []
        for schedule in made:
            ledger = TickLedger(CronCalendar(), 0, FOR_EVER, TICKS_MAX)
            ledger.read([each for each in self.ledger.records if each.stream == schedule], self.world.now().wall)
            rule(not ledger.problems, "%s: %s", schedule, ledger.problems)
            by_hand += [each.run for each in ledger.by_hand]
        triggered = {each.stream: each.event for each in self.ledger.records if isinstance(each.event, RunTriggered)}
        of_schedules = {run: each for run, each in triggered.items() if each.schedule}
        ticks = [each.schedule for each in of_schedules.values() if each.source == SCHEDULE]
        moments = [(each.schedule, each.at) for each in ticks if each]
        rule(len(moments) == len(set(moments)), "a tick has two runs: %s", moments)
        manual = [run for run, each in of_schedules.items() if each.source == MANUAL]
        rule(sorted(map(str, by_hand)) == sorted(manual), "the runs by hand are %s, and %s are told", manual, by_hand)
        self.by_hand = len(manual)
        self.fired = len(moments)

    def _begin(self) -> None:
        super()._begin()
        tasks = tuple(task.id for code in self._codes for task in code.tasks)
        self._planner = Planner(self.world, self._network, ENVIRONMENT, tasks, ())
        self._clients.append(self._planner)
        for _ in range(self.world.draw(10, 30)):
            self._planner.plan(self.world.draw(0, max(0, FAULTS_MS - self.world.mono)))

    def _reopen(self) -> None:
        self._planner.pause_all()
        super()._reopen()


def simulate(seed: int) -> ScheduledSimulation:
    """Run one seed to its end."""
    simulation = ScheduledSimulation(seed)
    try:
        simulation.run()
    except Exception as error:
        error.add_note(f"seed {seed} of the simulation with schedules")
        raise
    return simulation
