"""How named events are sent, delivered and canceled. What an event starts is in the commit of its delivery."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from msgspec import Raw, json

from domain import commands as c
from domain import lifecycle
from domain import named_event as named_events
from domain.builtin import HTTP_TASK
from domain.commands import Command
from domain.derived import derived_id
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import NotFound
from domain.event_filter import matches
from domain.events import EVENT_SOURCE, EventRef, EventSent, JobRef
from domain.job import queue_of
from domain.lifecycle import NewRun
from domain.memory import Memory
from domain.named_event import NamedEvent
from domain.subscriptions import Subscriber

RUNS_MAX = 500
"""How many runs one delivery starts; of an event with more subscribers there are several, one after the other."""


class EventHandlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.SendEvent: self._send,
            c.DeliverEvent: self._deliver,
            c.CancelEvent: self._cancel,
        }

    def _send(self, command: c.SendEvent, draft: Draft) -> bool:
        if draft.state(command.event) is not None:
            return False
        environment, sent = self._environment(command), command.sent
        after = draft.record(command.event, [sent], Origin.of(command))
        assert isinstance(after, NamedEvent), "it was just sent"
        if sent.payload_blob:
            draft.add_blob(sent.payload_blob.key, command.blobs[sent.payload_blob.key])
        if after.deliver_at <= draft.recorded_at:
            self._start(after, sent, command.payload, environment, draft)
        return True

    def _deliver(self, command: c.DeliverEvent, draft: Draft) -> bool:
        known = draft.state(command.event)
        if not isinstance(known, NamedEvent) or named_events.deadline_of(known) is None:
            return False
        if known.after != command.after or known.deliver_at > draft.recorded_at:
            return False
        self._start(known, command.sent, command.payload, self._environment(command), draft)
        return True

    def _cancel(self, command: c.CancelEvent, draft: Draft) -> None:
        known = draft.state(command.event)
        if not isinstance(known, NamedEvent) or known.environment != command.environment:
            raise NotFound("There is no such event in this environment.")
        draft.record(known.id, named_events.cancel(known, command.reason), Origin.of(command))

    def _start(self, event: NamedEvent, sent: EventSent, payload: Raw, environment: Environment, draft: Draft) -> None:
        """Start the runs of those whose turn it is."""
        there = self._memory.subscriptions.to(environment, sent.name)
        has_filter = any(each.filter for each in there)
        value = json.decode(payload) if has_filter and bytes(payload) else None
        fitting = (each for each in there if each.key > event.after and matches(value, each.filter))
        chosen = list(islice(fitting, RUNS_MAX + 1))
        has_more, chosen = len(chosen) > RUNS_MAX, chosen[:RUNS_MAX]
        origin = Origin(event.environment, EVENT_SOURCE, event.id, draft.recorded_at)
        gates = self._memory.gates(environment, draft.recorded_at)
        runs: list[str] = []
        for place, subscriber in enumerate(chosen):
            run = derived_id("run", draft.recorded_at, event.id, subscriber.key, place=place)
            new = _new_run(run, subscriber, sent, draft.recorded_at)
            draft.record(run, lifecycle.trigger(new, gates, environment), origin)
            runs.append(run)
        events = named_events.deliver(tuple(runs), chosen[-1].key if has_more else None)
        draft.record(event.id, events, origin)

    def _environment(self, command: Command) -> Environment:
        environment = self._memory.environment(command.environment)
        if environment is None:
            raise NotFound(f"There is no environment {command.environment}.")
        return environment


def _new_run(run: str, subscriber: Subscriber, sent: EventSent, now: int) -> NewRun:
    """A task is given the payload, which they all share; a job its request, for which the payload is looked up."""
    told = EventRef(sent.id, sent.name, sent.timestamp, sent.source, sent.context)
    job = subscriber.job
    if job is None:
        size = sent.payload_blob.size if sent.payload_blob else len(sent.payload)
        payload, blob = sent.payload, sent.payload_blob
        return NewRun(run, subscriber.task, payload, blob, payload_size=size, source=EVENT_SOURCE, event=told)
    return NewRun(
        run,
        HTTP_TASK,
        job.spec.payload,
        payload_size=len(job.spec.payload),
        queue=queue_of(job.id, job.spec),
        max_attempts=job.spec.max_attempts,
        source=EVENT_SOURCE,
        job=JobRef(job.id, job.spec.name, now),
        event=told,
    )
