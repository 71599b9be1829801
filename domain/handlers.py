"""What the engine does with each command: load, decide, record. Reports of workers are in `turns`."""

from collections.abc import Callable
from typing import Any

from msgspec import Raw

from domain import annotations, attempts, batching, bulk_actions, lifecycle, packet
from domain import commands as c
from domain import events as e
from domain.canceling import Cancels
from domain.channel_handlers import ChannelHandlers
from domain.commands import Accepted, Command
from domain.delivering import EventHandlers
from domain.draft import Draft, Origin, Ticket
from domain.environment import Environment
from domain.environment_handlers import EnvironmentHandlers
from domain.erasure_handlers import ErasureHandlers
from domain.errors import NotFound
from domain.explain import Explainer
from domain.explanation import Explanation
from domain.job_handlers import JobHandlers
from domain.keys import Key
from domain.memory import Memory
from domain.packet import Packet
from domain.queue_handlers import QueueHandlers
from domain.releasing import Releases
from domain.run import Run
from domain.schedule_handlers import ScheduleHandlers
from domain.scheduling import Schedules
from domain.sink_handlers import SinkHandlers
from domain.status import Status
from domain.triggering import trigger_runs
from domain.turns import Turns
from domain.waitpoint_handlers import WaitpointHandlers


class Handlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(
        self, memory: Memory, turns: Turns, releases: Releases, cancels: Cancels, schedules: Schedules
    ) -> None:
        self._memory = memory
        self._turns = turns
        self._releases = releases
        self._cancels = cancels
        self._methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.TriggerRuns: self._trigger_runs,
            c.CancelRun: self._cancel_run,
            c.RescheduleRun: self._reschedule_run,
            c.GiveUpRun: self._give_up_run,
            c.ExplainRun: self._explain_run,
            c.ReturnRun: self._return_run,
            c.AddTags: self._add_tags,
            c.UpdateMetadata: self._update_metadata,
            c.JudgePayloads: self._judge_payloads,
            c.CreateBatch: self._create_batch,
            c.AddItems: self._add_items,
            c.StartBulk: self._start_bulk,
            c.AdvanceBulk: self._advance_bulk,
            c.AbortBulk: self._abort_bulk,
            c.ResetKey: self._reset_key,
            c.StorePacket: self._store_packet,
            c.EndTurn: self._end_turn,
            **QueueHandlers(memory).methods,
            **WaitpointHandlers().methods,
            **EnvironmentHandlers(memory, schedules).methods,
            **ScheduleHandlers(memory, schedules).methods,
            **JobHandlers(memory, schedules).methods,
            **EventHandlers(memory).methods,
            **ChannelHandlers(memory).methods,
            **ErasureHandlers().methods,
            **SinkHandlers(memory).methods,
        }

    def handle(self, ticket: Ticket, command: Command, draft: Draft, now: int) -> None:
        """Decide one command. `now` is on the monotonic clock. Raises Refused; nothing is recorded then."""
        if isinstance(command, c.Turn):
            self._turns.take(command, ticket, draft, now)
            return
        draft.answers.append((ticket, self._methods[type(command)](command, draft)))

    def _trigger_runs(self, command: c.TriggerRuns, draft: Draft) -> list[Accepted]:
        return trigger_runs(command, self._environment(command), draft, self._memory)

    def _cancel_run(self, command: c.CancelRun, draft: Draft) -> None:
        self._cancels.cancel(self._run(command.run, command, draft), command.reason, Origin.of(command), draft)

    def _give_up_run(self, command: c.GiveUpRun, draft: Draft) -> None:
        run = self._run(command.run, command, draft)
        if events := lifecycle.give_up(run, command.message):
            draft.record(run.id, events, Origin.of(command))
            self._turns.stop(run, "GONE")

    def _create_batch(self, command: c.CreateBatch, draft: Draft) -> c.CreatedBatch:
        return batching.create_batch(command, draft)

    def _add_items(self, command: c.AddItems, draft: Draft) -> c.TakenItems:
        return batching.add_items(command, self._environment(command), draft, self._memory)

    def _start_bulk(self, command: c.StartBulk, draft: Draft) -> str:
        return bulk_actions.start(command, draft)

    def _advance_bulk(self, command: c.AdvanceBulk, draft: Draft) -> bool:
        return bulk_actions.advance(command, self._environment(command), draft, self._memory, self._cancels)

    def _abort_bulk(self, command: c.AbortBulk, draft: Draft) -> None:
        bulk_actions.abort(command, draft)

    def _reschedule_run(self, command: c.RescheduleRun, draft: Draft) -> None:
        run = self._run(command.run, command, draft)
        draft.record(run.id, lifecycle.reschedule(run, command.until, draft.recorded_at), Origin.of(command))

    def _return_run(self, command: c.ReturnRun, draft: Draft) -> None:
        run = self._run(command.run, command, draft)
        if run.status is Status.DEQUEUED and run.token == command.token:
            draft.record(run.id, attempts.hand_back("released"), Origin.of(command))

    def _explain_run(self, command: c.ExplainRun, draft: Draft) -> Explanation:
        explainer = Explainer(self._memory, self._turns.sessions, self._turns.is_served, draft.recorded_at)
        return explainer.explain(self._run(command.run, command, draft))

    def _add_tags(self, command: c.AddTags, draft: Draft) -> None:
        run = self._run(command.run, command, draft)
        draft.record(run.id, annotations.add_tags(run, command.tags), Origin.of(command))

    def _update_metadata(self, command: c.UpdateMetadata, draft: Draft) -> Raw:
        run = self._run(command.run, command, draft)
        now, origin = draft.recorded_at, Origin.of(command)
        if draft.made_by(command.request):
            return run.metadata
        # Whatever is refused is refused before anything is written.
        changes = annotations.update_metadata(run, command, draft.state, now)
        for stream, metadata in changes.items():
            draft.record(stream, [e.MetadataUpdated(metadata)], origin)
        draft.claim(command.request, run.id, origin)
        after = draft.state(run.id)
        assert isinstance(after, Run), "a run stays a run"
        return after.metadata

    def _judge_payloads(self, command: c.JudgePayloads, draft: Draft) -> None:
        self._releases.judge(command.verdicts, draft, Origin.of(command))

    def _reset_key(self, command: c.ResetKey, draft: Draft) -> None:
        key = draft.state(command.key)
        if not isinstance(key, Key) or key.stands_for(draft.recorded_at) is None:
            raise NotFound("No run has this idempotency key.")
        draft.record(command.key, [e.KeyFreed()], Origin.of(command))

    def _store_packet(self, command: c.StorePacket, draft: Draft) -> None:
        state = draft.state(command.packet)
        known = state if isinstance(state, Packet) else None
        if known is not None and known.environment != command.environment:
            raise NotFound(f"Packet {command.packet} not found.")
        events = packet.store(known, command.blob, command.content_type)
        draft.record(command.packet, events, Origin.of(command))
        if events:
            draft.add_blob(command.blob.key, command.blobs[command.blob.key])

    def _end_turn(self, command: c.EndTurn, draft: Draft) -> None:
        self._turns.end(command, draft)

    def _environment(self, command: Command) -> Environment:
        environment = self._memory.environment(command.environment)
        if environment is None:
            raise NotFound(f"There is no environment {command.environment}.")
        return environment

    def _run(self, stream: str, command: Command, draft: Draft) -> Run:
        run = draft.state(stream)
        if not isinstance(run, Run) or run.environment != command.environment:
            raise NotFound(f"Run {stream} not found.")
        return run
