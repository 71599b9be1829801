"""What is left of an event when its values are erased: nothing that users gave, and all that decisions rest on."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from msgspec import Raw, inspect

from domain import events as e
from domain.events import RUN_EVENTS, BlobRef, Edit, Entry, EventRef, LogLine, Prefix, RunError, RunEvent
from domain.redacting import redacted
from domain.run import Run, fold
from tests.projections.histories import chances, history, unhurried

MARK = "m4rk"
VALUE, BLOB = Raw(f'{{"a": "{MARK}"}}'.encode()), BlobRef("run_1/x", MARK, 4)
ERROR = RunError(MARK, MARK, MARK, e.OUT_OF_MEMORY, 137, "SIGKILL")
ENTRY = Entry(0, "look", digest=MARK)
FULL: tuple[RunEvent, ...] = (
    e.RunTriggered(
        "greet",
        "task/greet",
        VALUE,
        BLOB,
        metadata=VALUE,
        prefix=Prefix("run_0", 4, 1, (Edit(0, VALUE, BLOB),)),
        event=EventRef("1", "made", 1, "api", VALUE),
    ),
    e.RunDebounced(1, True, VALUE, BLOB, metadata=VALUE),
    e.AuthResolved(MARK),
    e.AttemptSucceeded(1, 1, VALUE, BLOB),
    e.AttemptFailed(1, 1, ERROR, output=VALUE, output_blob=BLOB),
    e.StepSucceeded(ENTRY, VALUE, BLOB),
    e.StepFailed(ENTRY, ERROR),
    e.StepTryFailed(ENTRY, ERROR, 1),
    e.ChildrenTriggered(ENTRY, ("run_2",)),
    e.WaitStarted(ENTRY, ("run_2",)),
    e.RunLogged((LogLine(1, "info", MARK, VALUE),), is_full=True),
    e.MetadataUpdated(VALUE),
    e.RunCanceled(MARK),
    *(kind(ERROR) for kind in (e.RunFailed, e.RunCrashed, e.RunInterrupted, e.RunSystemFailed)),
    e.PayloadRejected(ERROR),
    e.AuthUnresolved(ERROR),
)
NAMED: tuple[RunEvent, ...] = (
    e.RunTriggered("greet", "task/greet", tags=(MARK,), idempotency_key=MARK, concurrency_key=MARK),
    e.RunDebounced(1, True, tags=(MARK,)),
    e.TagsAdded((MARK,)),
)


@pytest.mark.parametrize("event", FULL, ids=lambda event: type(event).__name__)
def test_nothing_that_users_gave_is_left(event: RunEvent) -> None:
    left = redacted(event, with_names=False)

    assert MARK in msgspec.json.encode(event).decode()
    assert MARK not in msgspec.json.encode(left).decode()
    assert type(left) is type(event)
    assert redacted(left, with_names=False) is left


@pytest.mark.parametrize("event", NAMED, ids=lambda event: type(event).__name__)
def test_names_go_only_if_they_are_to(event: RunEvent) -> None:
    assert redacted(event, with_names=False) is event
    assert MARK not in msgspec.json.encode(redacted(event, with_names=True)).decode()


def test_what_the_engine_says_of_an_error_is_left() -> None:
    left = redacted(e.RunFailed(ERROR), with_names=True)

    assert left == e.RunFailed(RunError("", code=e.OUT_OF_MEMORY, exit_code=137, signal="SIGKILL"))


def test_no_event_of_a_run_that_has_values_is_forgotten() -> None:
    known = {type(event) for event in (*FULL, *NAMED)}

    assert {kind for kind in RUN_EVENTS if _holds_values(inspect.type_info(kind))} <= known


@unhurried
@given(chances)
def test_what_is_left_of_a_history_is_a_history_of_a_run_in_the_same_status(chance: Random) -> None:
    records = [each for each in history(chance, 60) if isinstance(each.event, RunEvent)]
    for run in {each.stream for each in records}:
        own = [each for each in records if each.stream == run]
        left = [msgspec.structs.replace(each, event=redacted(each.event, with_names=True)) for each in own]
        before, after = fold(own), fold(left)

        assert isinstance(before, Run)
        assert isinstance(after, Run)
        assert (after.status, after.version, after.closed) == (before.status, before.version, before.closed)


def _holds_values(kind: inspect.Type) -> bool:
    """Whether somewhere in it there is what may be anything."""
    match kind:
        case inspect.RawType():
            return True
        case inspect.StructType(cls=cls):
            return cls in {BlobRef, RunError, LogLine} or any(_holds_values(field.type) for field in kind.fields)
        case inspect.UnionType(types=types):
            return any(map(_holds_values, types))
        case inspect.VarTupleType(item_type=item):
            return _holds_values(item)
        case _:
            return False
