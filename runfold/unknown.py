"""Refuse names that are no options, with those that there are."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises TypeError for what is given and not known."""
    names = list(known)
    if unknown := set(given).difference(names):
        raise TypeError(f"No {what} is called {', '.join(sorted(unknown))}; there are: {', '.join(names)}.")


class Named(msgspec.StructMeta):
    """Of structs that users make by hand: msgspec says neither which struct it is nor what its fields are called."""

    if not TYPE_CHECKING:  # what a struct takes is known from its fields

        def __call__(self, *args: Any, **fields: Any) -> Any:
            refuse_unknown(f"option of {self.__name__}", fields, self.__struct_fields__)
            return super().__call__(*args, **fields)
