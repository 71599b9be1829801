"""Changes of a run's metadata, as the API writes them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Operation = dict[str, Any]


def operations_of(
    set_: Mapping[str, Any],
    delete: str | Sequence[str],
    append: Mapping[str, Any],
    remove: Mapping[str, Any],
    increment: Mapping[str, float],
) -> list[Operation]:
    """In the order of the arguments; raises ValueError when there is nothing to do."""
    keys = [delete] if isinstance(delete, str) else delete
    operations = [
        *_each("set", set_),
        *({"type": "delete", "key": key} for key in keys),
        *_each("append", append),
        *_each("remove", remove),
        *_each("increment", increment),
    ]
    if not operations:
        raise ValueError("There is nothing to change: say set, delete, append, remove or increment.")
    return operations


def _each(kind: str, values: Mapping[str, Any]) -> Iterator[Operation]:
    return ({"type": kind, "key": key, "value": value} for key, value in values.items())
