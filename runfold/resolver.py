"""The function that decides on whose behalf a run acts, before the run is queued."""

import inspect
from collections.abc import Callable
from typing import Any

from runfold.context import Context

AuthResolver = Callable[[Any, Context], Any] | Callable[[Context], Any]


class Resolver:
    """Called with the context, or with the payload and the context; what it returns is the run's `ctx.auth`."""

    def __init__(self, function: Any) -> None:
        if not inspect.isfunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"auth is a function of (payload, ctx) or of (ctx), not {function!r}.")
        self.function: Callable[..., Any] = function
        self.is_async = inspect.iscoroutinefunction(function)
        count = len(inspect.signature(function).parameters)
        if count not in (1, 2):
            raise TypeError(f"{function.__qualname__} has {count} parameters; auth is a function of (payload, ctx).")
        self.takes_payload = count == 2

    def call(self, payload: Callable[[], Any], ctx: Context) -> Any:
        """What the function returns, to be awaited if it is async; reads the payload only for a function of both."""
        return self.function(payload(), ctx) if self.takes_payload else self.function(ctx)
