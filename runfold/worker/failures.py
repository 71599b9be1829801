"""What is told of an exception."""

import importlib
import os
from collections.abc import Callable
from itertools import dropwhile
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException

import runfold
from runfold.texts import whole
from runfold.worker.wire import Error

_OURS = f"{Path(runfold.__file__).parent}{os.sep}"
_IMPORT = f"{Path(importlib.__file__).parent}{os.sep}"
MESSAGE_MAX = 10_000
TRACE_MAX = 50_000


def describe(error: BaseException, redact: Callable[[str], str] = str) -> Error:
    """Name, message and traceback, which starts at the task's own code. Whatever the error is, it can be reported."""
    text = redact(whole(traceback_of(error)))
    # Cut at last, so that no half of a secret is left at the edge.
    return Error(name_of(error), redact(whole(message_of(error)))[:MESSAGE_MAX], text[-TRACE_MAX:])


def traceback_of(error: BaseException) -> str:
    """The traceback, from the user's own code on."""
    try:
        trace = TracebackException.from_exception(error)
        _cut(trace)
        return "".join(trace.format())
    except BaseException as broken:  # noqa: BLE001 (a task's exception may fail in any way at telling what it is)
        return f"<no traceback: {name_of(broken)} in {name_of(error)}>"


def message_of(error: BaseException) -> str:
    """What the exception says of itself."""
    try:
        return str.__str__(str(error))  # plain, should it be of a type with a mind of its own
    except BaseException as broken:  # noqa: BLE001 (as above)
        return f"<no message: {name_of(broken)} in {name_of(error)}.__str__>"


def name_of(error: BaseException) -> str:
    """The name of its type, which a metaclass may answer otherwise."""
    name: str = vars(type)["__name__"].__get__(type(error))
    return whole(name)


def _cut(trace: TracebackException) -> None:
    """Drop the frames of the worker and of an import, which lead to the user's; likewise in the causes."""
    trace.stack = StackSummary.from_list([*dropwhile(_is_ours, trace.stack)])
    for inner in (trace.__cause__, trace.__context__, *(trace.exceptions or ())):
        if inner is not None:
            _cut(inner)


def _is_ours(frame: FrameSummary) -> bool:
    return frame.filename.startswith((_OURS, _IMPORT, "<frozen importlib"))
