"""What people say for something that has an id and a name."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer


def id_of(said: str, found: Sequence[Mapping[str, Any]]) -> str:
    """The id of what has this id or this name; what nothing has is for the engine to refuse. Raises BadParameter."""
    called = [str(each["id"]) for each in found if each["name"] == said]
    if not called or said in {each["id"] for each in found}:
        return said
    if len(called) > 1:
        raise typer.BadParameter(f"There are {len(called)} called {said}; say which by its id: {', '.join(called)}.")
    return called[0]
