"""The function that decides on whose behalf a run acts, before the run is queued."""

import inspect
from collections.abc import Callable
from typing import Any

from runfold.context import Context, RunContext

AuthResolver = Callable[[Any, Context], Any] | Callable[[Context], Any]


class Resolver:
    """Called with the context, or with the payload and the context; what it returns is the run's `ctx.auth`."""

    def __init__(self, function: Any) -> None:
        if not inspect.isfunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"auth is a function of (payload, ctx) or of (ctx), not {function!r}.")
        self.function: Callable[..., Any] = function
        self.is_async = inspect.iscoroutinefunction(function)
        parameters = [*inspect.signature(function).parameters.values()]
        count = len(parameters)
        if count == 1 and not _may_be_context(parameters[0].annotation):
            # The one parameter of a task is its payload, so that is what a person may well have in mind.
            name = f"{parameters[0].name} of {function.__qualname__}"
            raise TypeError(f"{name} would be the context; to get the payload, auth is a function of (payload, ctx).")
        if count not in (1, 2):
            raise TypeError(f"{function.__qualname__} has {count} parameters; auth is a function of (payload, ctx).")
        self.takes_payload = count == 2

    def call(self, payload: Callable[[], Any], ctx: RunContext) -> Any:
        """What the function returns, to be awaited if it is async; reads the payload only for a function of both."""
        return self.function(payload(), ctx) if self.takes_payload else self.function(ctx)


def _may_be_context(annotation: Any) -> bool:
    """Whether a parameter with this annotation, which may be a text, can have been meant for the context."""
    text = annotation if isinstance(annotation, str) else repr(annotation)
    return annotation in (inspect.Parameter.empty, Any, object) or text == "Any" or "Context" in text
