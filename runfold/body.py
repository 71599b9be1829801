"""The function of a task: how it is called, and the types that its annotations name."""

import inspect
from collections.abc import Callable, Sequence
from functools import cached_property
from inspect import Parameter
from typing import Any, Never, NoReturn, get_type_hints

from runfold.codec import Types
from runfold.context import Context, RunContext, SyncContext
from runfold.schemas import Schema


class Body:
    """Takes nothing, a payload, or a payload and a context."""

    def __init__(self, function: Any) -> None:
        if not inspect.isfunction(function):
            raise TypeError(f"@task decorates functions, not {function!r}.")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__} is a generator; a task returns its result.")
        self.function: Callable[..., Any] = function
        self.is_async = inspect.iscoroutinefunction(function)
        self._name = function.__qualname__
        self._parameters = _positional(function)

    @property
    def takes_payload(self) -> bool:
        return len(self._parameters) > 0

    @property
    def takes_context(self) -> bool:
        return len(self._parameters) > 1

    @property
    def payload_schema(self) -> Schema | None:
        """What the engine checks payloads against; None where it is to accept every one."""
        return self.types.payload_schema() if self.takes_payload else None

    @cached_property
    def types(self) -> Types[Any, Any]:
        """Looked up when first needed, because only then are all names in the annotations defined."""
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except NameError as error:
            raise TypeError(f"An annotation of {self._name} cannot be looked up: {error}") from error
        payload, context = [*(hints.get(each.name, Any) for each in self._parameters), Any, Any][:2]
        if payload in (RunContext, Context, SyncContext):
            raise TypeError(f"The first parameter of {self._name} is its payload; the context comes second.")
        wanted = Context if self.is_async else SyncContext
        if context not in (Context, SyncContext, Any, Context | None, SyncContext | None) or (
            self.is_async and context in (SyncContext, SyncContext | None)
        ):
            raise TypeError(f"The second parameter of {self._name} is its {wanted.__name__}, not {context!r}.")
        result = hints.get("return", Any)
        try:
            return Types(payload, Any if result in (NoReturn, Never) else result)
        except TypeError as error:
            raise TypeError(f"A type of {self._name} cannot be read from JSON: {error}") from error


def _positional(function: Callable[..., Any]) -> Sequence[Parameter]:
    """Payload and context, as far as the function takes them."""
    parameters = inspect.signature(function).parameters.values()
    positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if not {*needed} <= {each.name for each in positional[:2]}:
        raise TypeError(
            f"{function.__qualname__} needs {', '.join(needed)}; a task is called with a payload and a context only."
        )
    return positional[:2]
