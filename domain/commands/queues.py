"""Commands about queues."""

from domain.commands.base import Command


class QueueCommand(Command, frozen=True, kw_only=True):
    """A command about a queue, told by its whole name."""

    queue: str


class PauseQueue(QueueCommand, frozen=True, kw_only=True):
    """Let nothing of a queue start. Answer: None."""


class ResumeQueue(QueueCommand, frozen=True, kw_only=True):
    """Let a queue go on. Answer: None."""


class OverrideQueueLimit(QueueCommand, frozen=True, kw_only=True):
    """Let another concurrency limit count than that of the tasks. Answer: None."""

    concurrency_limit: int


class ResetQueueLimit(QueueCommand, frozen=True, kw_only=True):
    """Let the concurrency limit of the tasks count again. Answer: None."""
