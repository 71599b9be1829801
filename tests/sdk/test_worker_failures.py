"""What is told of an exception."""

from runfold.worker.failures import MESSAGE_MAX, TRACE_MAX, describe


def caught(error: Exception) -> Exception:
    try:
        raise error
    except Exception as it:  # noqa: BLE001 (any at all)
        return it


def test_causes_are_told() -> None:
    error = ValueError("no such city")
    error.__cause__ = caught(KeyError("riga"))

    trace = describe(caught(error)).stack_trace or ""

    assert trace.index("KeyError: 'riga'") < trace.index("direct cause") < trace.index("ValueError: no such city")


def test_what_is_too_long_is_cut() -> None:
    told = describe(caught(ValueError("x" * 100_000)))

    assert (len(told.message), len(told.stack_trace or "")) == (MESSAGE_MAX, TRACE_MAX)


def test_an_error_that_cannot_say_what_it_is_is_told_all_the_same() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("mute")

    told = describe(caught(MuteError()))

    assert (told.name, told.message) == ("MuteError", "<no message: RuntimeError in MuteError.__str__>")


def test_groups_are_told_whole() -> None:
    told = describe(caught(ExceptionGroup("several", [caught(ValueError("one")), caught(KeyError("two"))])))

    assert (told.name, told.message) == ("ExceptionGroup", "several (2 sub-exceptions)")
    assert all(text in (told.stack_trace or "") for text in ("ValueError: one", "KeyError: 'two'"))
