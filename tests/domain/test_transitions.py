"""The transition table is whole, and decisions lead to every status."""

import inspect
from collections.abc import Iterator
from contextlib import suppress
from typing import get_type_hints

import pytest

from domain import attempts, journal, lifecycle
from domain import events as e
from domain.attempts import HANDOUTS_MAX, Report
from domain.environment import Environment
from domain.errors import NotAllowed
from domain.events import RUN_EVENTS, AttemptFailed, Entry, RunEvent, TaskSettings
from domain.gates import Verdict
from domain.journal import JOURNAL_REPORTS, Journaled
from domain.lifecycle import WAIT, Deadline, Debounce, NewRun, deadline_of
from domain.retry import Retry
from domain.run import Run
from domain.status import EXECUTING, FINAL, INITIAL, LIVE, Status
from domain.transitions import TRANSITIONS, target_of
from tests.domain.stories import ENVIRONMENT, NO_TASKS, NOW, VERSION, WORKER, gates, happened, told

PATIENT = TaskSettings("send-email", retry=Retry(2))
SPARED = TaskSettings("send-email", retry=Retry(2), retry_on_crash=True)
NEW_RUNS = (
    NewRun("run_1", "send-email"),
    NewRun("run_1", "send-email", delay_until=NOW + 1),
    NewRun("run_1", "send-email", ttl_ms=1),
    NewRun("run_1", "send-email", ttl_ms=1, delay_until=NOW + 1),
    NewRun("run_1", "guarded"),
    NewRun("run_1", "guarded", delay_until=NOW + 1),
    NewRun("run_1", "checked", verdict=Verdict(VERSION, e.RunError("no number"))),
)
TASKS = (
    TaskSettings("send-email"),
    TaskSettings("checked", payload_schema={"type": "number"}),
    TaskSettings("guarded", auth_resolver=True, connections=("mail",), ttl=60_000),
)
KNOWN = Environment(
    ENVIRONMENT, "prod", "PRODUCTION", 2, versions={VERSION: {task.id: task for task in TASKS}}, promoted=(VERSION,)
)
KINDS = ("started", "succeeded", "failed", "crashed", "released", "frozen", "unheard of")


def test_every_event_of_a_run_has_a_row_and_no_row_is_without_an_event() -> None:
    assert TRANSITIONS.keys() == set(RUN_EVENTS)


def test_every_status_is_in_the_table() -> None:
    sources = {status for sources, _ in TRANSITIONS.values() for status in sources}
    targets = {target for _, target in TRANSITIONS.values()}

    assert sources - {None} == set(Status)
    assert targets - {None} == set(Status)


def test_a_status_is_either_initial_or_executing_or_final() -> None:
    assert sorted([*INITIAL, *EXECUTING, *FINAL]) == sorted(Status)
    assert INITIAL | EXECUTING == LIVE


def test_nothing_but_annotations_may_follow_the_end() -> None:
    after_the_end = {event for event, (sources, _) in TRANSITIONS.items() if sources & FINAL}

    assert after_the_end == {
        e.TagsAdded,
        e.MetadataUpdated,
        e.RunReplayed,
        e.LateResultRefused,
        e.RunErased,
        e.RunArchived,
    }
    assert {TRANSITIONS[event].target for event in after_the_end} == {None}


def test_only_a_trigger_begins_a_run() -> None:
    assert [event for event, (sources, _) in TRANSITIONS.items() if None in sources] == [e.RunTriggered]


def test_an_event_stays_where_it_is_when_the_table_names_no_target() -> None:
    assert target_of(Status.COMPLETED, e.TagsAdded(("a",))) is Status.COMPLETED


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (None, "RunCanceled cannot happen before the run exists."),
        (Status.EXPIRED, "RunCanceled cannot happen while the run is EXPIRED."),
    ],
)
def test_where_the_table_has_no_way_it_says_why(status: Status | None, sentence: str) -> None:
    with pytest.raises(NotAllowed, match=sentence):
        target_of(status, e.RunCanceled())


def test_decisions_lead_to_every_status() -> None:
    assert {run.status for run in reachable_runs()} == set(Status)


def test_the_exploration_knows_every_decision() -> None:
    decisions = {
        name
        for module in (lifecycle, attempts, journal)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
        if get_type_hints(function)["return"] == list[RunEvent]
    }

    assert decisions == {
        *("trigger", "debounce", "cancel", "give_up", "reschedule", "fire"),
        *("report", "dequeue", "hand_back", "lose", "time_out", "react_to_failure"),
        *("block", "wait", "fail_try", "complete"),
    }


def reachable_runs() -> list[Run]:
    """Every run that decisions lead to, apart from its ids and times: the breadth-first search of the state machine."""
    found = [
        told(*lifecycle.trigger(new, gates(environment), environment))
        for new in NEW_RUNS
        for environment in (NO_TASKS, KNOWN)
    ]
    seen = {_shape(run) for run in found}
    for run in found:
        for events in _decisions(run):
            after = happened(run, *events)
            for way in _with_reactions(after, events):
                if _shape(way) not in seen:
                    seen.add(_shape(way))
                    found.append(way)
    return found


def _decisions(run: Run) -> Iterator[list[RunEvent]]:
    """What each command and each timer makes of a run."""
    yield lifecycle.cancel(run)
    yield lifecycle.give_up(run, "It cannot go on.")
    deadline = deadline_of(run) or Deadline(NOW, "delay")
    if deadline.kind != WAIT:
        yield lifecycle.fire(run, deadline)
    yield attempts.lose(run, "The worker is gone.")
    yield attempts.lose(run, "The worker is gone.", is_development=True)
    yield from _passages(run)
    yield attempts.time_out(run, 1)
    if run.status is Status.QUEUED:
        yield attempts.dequeue(run, WORKER, "1")
    with suppress(NotAllowed):
        yield lifecycle.reschedule(run, NOW + 2, NOW)
    if run.waits:
        yield journal.complete(run, [e.WaitCompleted(run.waits[0].index)])
    if run.is_awake:
        yield [e.RunResumed()]
    for said in _reports(run):
        try:
            yield attempts.report(run, said, WORKER)
        except attempts.Late as late:
            yield late.events
        except NotAllowed:
            continue


def _reports(run: Run) -> list[Report]:
    # The same becomes of all that is said of an attempt that there never was.
    late = Report("run_1", -1, "succeeded", NOW)
    if run.token is None:
        return [late]
    return [late, *_journaled(run, run.token), *(Report("run_1", run.token, kind, NOW) for kind in KINDS)]


def _journaled(run: Run, token: int) -> list[Report]:
    if run.journal > 2:
        return []
    entry, waits = Entry(run.journal, "one"), tuple(wait.index for wait in run.waits)
    ways = (
        Journaled(entry, runs=("run_2",), targets=("run_2",), until=NOW + 10, waits=waits),
        # What has been told before, a gap, and a run whose worker has not heard of the end of a wait.
        Journaled(Entry(0, "one"), waits=(*waits, 99)),
        Journaled(Entry(run.journal + 1, "two"), targets=("run_2",)),
    )
    return [Report("run_1", token, kind, NOW, journaled=way) for kind in sorted(JOURNAL_REPORTS) for way in ways]


def _passages(run: Run) -> Iterator[list[RunEvent]]:
    """What the gates make of a run that one of them holds."""
    for ready in ((), ("mail",)):
        known = gates(KNOWN, *ready)
        yield known.after_version(run, Verdict(VERSION, seen=run.version))
        yield known.after_version(run, Verdict(VERSION, e.RunError("no number"), run.version))
        if run.status is Status.PENDING:
            yield known.after_auth(run, "sealed")
            yield [e.AuthUnresolved(e.RunError("nobody"))]
        if run.status is Status.WAITING_ON_CONNECTIONS:
            yield known.after_connections(run)
    if run.status is Status.DELAYED:
        again = NewRun("run_2", run.task, debounce=Debounce("key_1", 5, is_trailing=True))
        yield lifecycle.debounce(run, again, NOW)


def _with_reactions(run: Run, events: list[RunEvent]) -> Iterator[Run]:
    failed = next((event for event in events if isinstance(event, AttemptFailed)), None)
    if failed is None:
        yield run
        return
    for settings in (None, PATIENT, SPARED):
        yield happened(run, *attempts.react_to_failure(run, failed, settings, now=NOW, chance=0.5))


def _shape(run: Run) -> tuple[object, ...]:
    handouts = min(run.handouts, HANDOUTS_MAX)
    waits = run.due_at is not None, run.expires_at is not None, run.ttl_ms is not None
    journal = min(run.journal, 3), len(run.waits), len(run.woken), run.is_suspended, run.stalls
    return run.status, run.token is not None, handouts, min(run.attempts, 3), min(run.failures, 2), *waits, *journal
