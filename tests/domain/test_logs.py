"""What the code of a run logs: kept once, in order, and up to a bound that is told."""

from msgspec import Raw

from domain import events as e
from domain.attempts import Report
from domain.commands import HandOut
from domain.events import LogLine, RunLogged
from domain.logs import EVENT_BYTES_MAX, LOG_BYTES_MAX
from domain.run import LOG_LINES_MAX
from tests.domain.stories import LEASE_MS, NOW, Colleague, Room, started, succeeded
from tests.domain.waitstories import blocked, pass_slowly, stepped, waits

DROPPED = "What follows was dropped: 1000 lines and 262144 bytes of a run are kept."


def lines(*messages: str) -> tuple[LogLine, ...]:
    return tuple(LogLine(NOW, "info", message) for message in messages)


def logged(run: HandOut, first: int, *messages: str) -> Report:
    """The report of these lines."""
    return Report(run.run, run.token, "logged", NOW, lines=lines(*messages), first=first)


def kept(room: Room) -> list[str]:
    return [line.message for event in room.events() if isinstance(event, RunLogged) for line in event.lines]


def begun(room: Room) -> tuple[Colleague, HandOut]:
    room.trigger()
    worker = Colleague(room)
    return worker, worker.start()


def test_lines_are_one_event_and_leave_the_run_as_it_is() -> None:
    room = Room()
    worker, hand = begun(room)
    before = room.run()

    worker.turn(logged(hand, 0, "a", "b"))

    assert room.events()[-1] == RunLogged(lines("a", "b"))
    assert room.run().status is before.status


def test_lines_that_come_with_the_start_and_the_end_are_kept() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()

    worker.turn(started(hand), logged(hand, 0, "a"), succeeded(hand))

    assert [type(event) for event in room.events()[2:]] == [e.AttemptStarted, RunLogged, e.AttemptSucceeded]


def test_lines_may_tell_of_a_start_that_was_not_heard_of() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()

    worker.turn(logged(hand, 0, "a"))

    assert [type(event) for event in room.events()[2:]] == [e.AttemptStarted, RunLogged]


def test_what_is_sent_again_is_kept_once_also_by_an_engine_that_started_anew() -> None:
    room = Room()
    worker, hand = begun(room)
    worker.turn(logged(hand, 0, "a", "b"))
    room.restart()
    again = Colleague(room)

    again.turn(logged(hand, 0, "a", "b"), logged(hand, 1, "b", "c"), sequence=worker.sequence + 1)

    assert kept(room) == ["a", "b", "c"]


def test_lines_after_a_hand_out_are_counted_anew() -> None:
    room = Room()
    worker, hand = begun(room)
    worker.turn(logged(hand, 0, "a", "b"), stepped(hand, 0))
    pass_slowly(room, LEASE_MS + 1)
    other = room.hire()
    again = other.start()

    other.turn(logged(again, 0, "a"))

    assert kept(room) == ["a", "b", "a"]


def test_the_thousand_and_first_line_is_not_kept_but_told() -> None:
    room = Room()
    worker, hand = begun(room)
    first = [str(n) for n in range(LOG_LINES_MAX)]

    worker.turn(logged(hand, 0, *first))
    length = len(kept(room))
    worker.turn(logged(hand, LOG_LINES_MAX, "one too many", "two too many"))
    worker.turn(logged(hand, LOG_LINES_MAX + 2, "three too many"))

    assert length == LOG_LINES_MAX
    assert kept(room)[LOG_LINES_MAX:] == [DROPPED]
    assert room.events()[-1] == RunLogged((LogLine(NOW, "warning", DROPPED),), is_full=True)


def test_bytes_are_bounded_too_and_attributes_count() -> None:
    room = Room()
    worker, hand = begun(room)
    large = LogLine(NOW, "info", "é" * 10, Raw(b'"' + b"x" * 8_000 + b'"'))

    for n in range(40):
        worker.turn(Report("run_1", hand.token, "logged", NOW, lines=(large,), first=n))

    assert kept(room) == ["é" * 10] * (LOG_BYTES_MAX // 8_022) + [DROPPED]


def test_a_heap_of_lines_is_several_events_so_that_each_stays_small() -> None:
    room = Room()
    worker, hand = begun(room)

    worker.turn(logged(hand, 0, *("x" * 5_000 for _ in range(20))))

    events = [event for event in room.events() if isinstance(event, RunLogged)]
    assert [len(event.lines) for event in events] == [EVENT_BYTES_MAX // 5_000] * 3 + [2]


def test_a_run_that_waits_may_log_by_another_branch_of_its_code() -> None:
    room = Room()
    worker, hand = begun(room)

    worker.turn(waits(hand, 0, until=NOW + 1_000), blocked(hand, 0), logged(hand, 0, "a"))

    assert kept(room) == ["a"]


def test_lines_of_an_attempt_that_it_ended_itself_are_passed_over_when_they_come_again() -> None:
    room = Room()
    worker, hand = begun(room)
    worker.turn(logged(hand, 0, "a"), succeeded(hand))
    length = len(room.log)

    answer = worker.turn(logged(hand, 0, "a"), succeeded(hand))

    assert answer.refused == ()
    assert len(room.log) == length


def test_lines_that_come_too_late_are_refused_and_a_late_result_is_still_recorded() -> None:
    room = Room()
    worker, hand = begun(room)
    pass_slowly(room, LEASE_MS + 1)

    lines_too_late = room.hire().turn(logged(hand, 0, "a"))
    before = kept(room)
    room.hire().turn(succeeded(hand))

    assert [refused.run for refused in lines_too_late.refused] == ["run_1"]
    assert before == kept(room) == []
    assert isinstance(room.events()[-1], e.LateResultRefused)
    assert worker.sequence == 2
