"""Who did what, when and why: which events of an environment somebody asks for."""

from msgspec import Struct

from domain.errors import InvalidInput
from domain.events import Recorded

KIND_END = ":"
"""What separates the kind of an actor from its name: `key:7f3a…`, `worker:worker_1`."""
NAMED_KINDS = ("key:", "token:", "worker:")
"""Kinds of actors of which there are many, each with a name behind the colon."""
ALONE = (
    *("admin", "aftermath", "callback", "engine", "event", "executor"),
    *("retry", "schedule", "timer", "upload", "webhook"),
)
"""Actors of whom there is one: whoever has the admin key, an address that takes calls, or a part of the engine."""


class Question(Struct, frozen=True):
    """Of what is asked for, everything has to be so; what is empty or None asks for nothing.

    Times are milliseconds, and of when an event was recorded: `since` is the first, `until` the one behind the last.
    """

    environment: str
    actors: frozenset[str] = frozenset()
    """Whole names, or kinds with their colon: `key:` are all keys. What a bulk action did, its beginner did."""
    types: frozenset[str] = frozenset()
    """The names of events."""
    tasks: frozenset[str] = frozenset()
    """Only what happened to runs of these tasks."""
    run: str | None = None
    """Only what happened to this run, or to whatever else has this id."""
    since: int | None = None
    until: int | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether events of the environment may be passed over that are in its time."""
        return bool(self.actors or self.types or self.tasks or self.run)

    def wants(self, recorded: Recorded) -> bool:
        """Whether an event is asked for, but for its task, its time and who began a bulk action.

        These stand in other events.
        """
        return (
            recorded.environment == self.environment
            and (self.run is None or recorded.stream == self.run)
            and (not self.types or type(recorded.event).__name__ in self.types)
            and (self.is_of(recorded.actor) or bulk_behind(recorded) is not None)
        )

    def is_of(self, actor: str) -> bool:
        """Whether what this actor did is asked for."""
        return not self.actors or actor in self.actors or kind_of(actor) in self.actors


def bulk_behind(recorded: Recorded) -> str | None:
    """The bulk action for which the engine let an event happen, if it was for one."""
    return recorded.cause if recorded.actor == "engine" and recorded.cause.startswith("bulk_") else None


def check_actor(actor: str) -> None:
    """Raises InvalidInput for an actor, or a kind with its colon, that no event can have."""
    if kind_of(actor) not in {*NAMED_KINDS, *ALONE}:
        raise InvalidInput(
            f"There is no actor {actor[:60]!r}: it begins with {', '.join(NAMED_KINDS[:-1])} or {NAMED_KINDS[-1]},"
            f" or is one of {', '.join(ALONE)}."
        )


def kind_of(actor: str) -> str:
    """The kind of an actor with its colon; the engine and others of whom there is one are their own kind."""
    kind, colon, _ = actor.partition(KIND_END)
    return kind + colon
