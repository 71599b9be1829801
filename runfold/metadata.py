"""Changes of a run's metadata: as the API writes them, and from inside the run."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

from runfold import transport
from runfold.blocking import blocking
from runfold.codec import encode
from runfold.journal import Journal

Operation = dict[str, Any]


class Metadata:
    """`ctx.metadata` of an async task. Keys that begin with `$.` are paths.

    A change is made once each time its line of code is run: put it into a step if it must not be made again.
    """

    def __init__(self, run: str, journal: Journal | None = None, whose: str = "operations") -> None:
        self._run = run
        self._journal = journal
        self._whose = whose

    @cached_property
    def parent(self) -> "Metadata":
        """That of the run that triggered this one; of this one if there is none."""
        return Metadata(self._run, self._journal, "parentOperations")

    @cached_property
    def root(self) -> "Metadata":
        """That of the first run of the family; of this one if it is the first."""
        return Metadata(self._run, self._journal, "rootOperations")

    async def set(self, key: str, value: Any) -> None:
        """Put a value under a key."""
        await self._change({"type": "set", "key": key, "value": value})

    async def delete(self, key: str) -> None:
        """Take a key away."""
        await self._change({"type": "delete", "key": key})

    async def append(self, key: str, value: Any) -> None:
        """Add to a list, which is begun if there is none."""
        await self._change({"type": "append", "key": key, "value": value})

    async def remove(self, key: str, value: Any) -> None:
        """Take equal values out of a list."""
        await self._change({"type": "remove", "key": key, "value": value})

    async def increment(self, key: str, by: float = 1) -> None:
        """Add to a number, which is 0 if there is none."""
        await self._change({"type": "increment", "key": key, "value": by})

    async def _change(self, operation: Operation) -> None:
        body = encode({self._whose: [operation]})
        path = f"/api/v1/runs/{quote(self._run, safe='')}/metadata"
        if self._journal is None:
            await transport.default.call("PUT", path, body=body)
            return
        # A run that does this is not one that only waits.
        with self._journal.working():
            await transport.default.call("PUT", path, body=body)


class SyncMetadata:
    """`ctx.metadata` of a task that is not async: the same, without `await`."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self.set = blocking(metadata.set)
        self.delete = blocking(metadata.delete)
        self.append = blocking(metadata.append)
        self.remove = blocking(metadata.remove)
        self.increment = blocking(metadata.increment)

    @cached_property
    def parent(self) -> "SyncMetadata":
        """That of the run that triggered this one; of this one if there is none."""
        return SyncMetadata(self._metadata.parent)

    @cached_property
    def root(self) -> "SyncMetadata":
        """That of the first run of the family; of this one if it is the first."""
        return SyncMetadata(self._metadata.root)


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
