"""Commands about sinks."""

from domain.commands.base import Command
from domain.events import SinkSpec


class AddSink(Command, frozen=True, kw_only=True):
    """Stream the events behind a position there. Answer: the Sink."""

    sink: str
    spec: SinkSpec
    after: int


class AdvanceSink(Command, frozen=True, kw_only=True):
    """Note that everything up to a position has arrived. Answer: None."""

    sink: str
    position: int


class RemoveSink(Command, frozen=True, kw_only=True):
    """Stream nothing there any more. Answer: None."""

    sink: str
