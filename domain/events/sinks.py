"""Sinks, to which the events of an environment are streamed."""

from msgspec import Struct

from domain.events.base import Event


class SinkSpec(Struct, frozen=True, gc=False, omit_defaults=True):
    """Where events go: by POST to a `url`, signed with the `secret` of that name, or into a `file`, line by line.

    `format` is cloudevents or runfold.
    """

    name: str
    url: str = ""
    secret: str | None = None
    file: str = ""
    format: str = "cloudevents"


class SinkAdded(Event, frozen=True, gc=False):
    """The events behind a position go there from now on, each once and in order."""

    spec: SinkSpec
    after: int


class SinkAdvanced(Event, frozen=True, gc=False):
    """All events up to this position have arrived. This is told to no sink: it would have no end."""

    position: int


class SinkRemoved(Event, frozen=True, gc=False):
    """Nothing goes there any more."""
