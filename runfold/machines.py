"""How much memory and how many processors a run's worker has, by name."""

from typing import Any, Literal, get_args

Machine = Literal["micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x"]

MACHINES: tuple[str, ...] = get_args(Machine)
"""From the smallest to the largest."""


def valid_machine(name: Any) -> str:
    """The name itself; a ValueError says which names there are."""
    if name not in MACHINES:
        raise ValueError(f"{name!r} is no machine; there are: {', '.join(MACHINES)}.")
    return str(name)
