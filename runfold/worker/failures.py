"""What is told of an exception."""

import importlib
import os
from collections.abc import Callable
from itertools import dropwhile
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException

import runfold
from runfold.worker.wire import Error

_OURS = f"{Path(runfold.__file__).parent}{os.sep}"
_IMPORT = f"{Path(importlib.__file__).parent}{os.sep}"
MESSAGE_MAX = 10_000
TRACE_MAX = 50_000


def describe(error: BaseException, redact: Callable[[str], str] = str) -> Error:
    """Name, message and traceback, which starts at the task's own code."""
    text = redact(traceback_of(error))
    # Cut at last, so that no half of a secret is left at the edge.
    return Error(type(error).__name__, redact(message_of(error))[:MESSAGE_MAX], text[-TRACE_MAX:])


def traceback_of(error: BaseException) -> str:
    """The traceback, from the user's own code on."""
    trace = TracebackException.from_exception(error)
    _cut(trace)
    return "".join(trace.format())


def message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 (a task's exception may fail in any way at telling what it is)
        return f"<no message: {type(broken).__name__} in {type(error).__name__}.__str__>"


def _cut(trace: TracebackException) -> None:
    """Drop the frames of the worker and of an import, which lead to the user's; likewise in the causes."""
    trace.stack = StackSummary.from_list([*dropwhile(_is_ours, trace.stack)])
    for inner in (trace.__cause__, trace.__context__, *(trace.exceptions or ())):
        if inner is not None:
            _cut(inner)


def _is_ours(frame: FrameSummary) -> bool:
    return frame.filename.startswith((_OURS, _IMPORT, "<frozen importlib"))
