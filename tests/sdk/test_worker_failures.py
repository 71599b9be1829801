"""What is told of an exception."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from runfold.worker.failures import MESSAGE_MAX, TRACE_MAX, describe
from runfold.worker.outcomes import Failed, failed
from runfold.worker.wire import Environment, HandOut


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


def test_halves_of_surrogate_pairs_are_written_out() -> None:
    error = ValueError("caf\udce9")
    error.add_note("note \ud800")

    told = describe(caught(error))

    assert told.message == "caf\\udce9"
    assert "ValueError: caf\\udce9\nnote \\ud800\n" in (told.stack_trace or "")
    assert msgspec.json.decode(msgspec.json.encode(told))


class HiddenError(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class LeavingError(Exception):
    def __str__(self) -> str:
        return sys.exit(1)


class Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("nameless")


class NamelessError(Exception, metaclass=Nameless):
    pass


class Text(str):
    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        raise RuntimeError("unwilling")

    def isascii(self) -> bool:
        raise RuntimeError("unwilling")


class OddTextError(Exception):
    def __str__(self) -> str:
        return Text("odd \udce9")


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (HiddenError, "HiddenError", ""),
        (LeavingError, "LeavingError", "<no message: SystemExit in LeavingError.__str__>"),
        (lambda: NamelessError("here"), "NamelessError", "here"),
        (OddTextError, "OddTextError", "odd \\udce9"),
    ],
)
def test_whatever_an_error_refuses_to_tell_its_name_is_told(
    make: Callable[[], Exception], name: str, message: str
) -> None:
    told = describe(caught(make()))

    assert (told.name, told.message) == (name, message)
    assert msgspec.json.decode(msgspec.json.encode(told))


def test_what_an_error_means_is_found_although_it_answers_nothing() -> None:
    ended = failed(caught(HiddenError()), HandOut("run_1", 1, "shop", 0, Environment("env_1", "dev", "DEVELOPMENT")))

    assert isinstance(ended, Failed)
    assert ended.error.name == "HiddenError"
