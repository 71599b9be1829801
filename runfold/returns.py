"""How what a function returns is read, when it comes out of the journal."""

import inspect
from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType
from typing import Any, Never, NoReturn, get_type_hints
from weakref import WeakKeyDictionary

from runfold.codec import Codec

_codecs: WeakKeyDictionary[CodeType, tuple[Any, Codec[Any]]] = WeakKeyDictionary()
_PLAIN: Codec[Any] = Codec(Any)


def codec_of(function: Callable[..., Any]) -> Codec[Any]:
    """By its annotation; a function that is made anew in each run has the same one."""
    target = function
    if type(function) is not FunctionType or function.__dict__:
        # It may be wrapped in another one.
        target = inspect.unwrap(function)
    while isinstance(target, partial):
        target = inspect.unwrap(target.func)
    code = getattr(target, "__code__", None)
    if code is None:
        return _PLAIN
    annotation = target.__module__, target.__annotations__.get("return", Any)
    known = _codecs.get(code)
    if known is not None and known[0] == annotation:
        return known[1]
    codec = _codec_by_hints(target)
    _codecs[code] = annotation, codec
    return codec


def _codec_by_hints(function: Callable[..., Any]) -> Codec[Any]:
    try:
        result = get_type_hints(function, include_extras=True).get("return", Any)
    except (NameError, TypeError):
        # An annotation that names what is not there tells nothing.
        return _PLAIN
    return Codec(Any if result in (NoReturn, Never) else result)
