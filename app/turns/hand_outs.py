"""Runs as workers are given them, with all that they need to know."""

from collections.abc import Sequence
from typing import Any

import structlog
from msgspec import Raw
from msgspec.structs import replace

from app.engine.triggered import as_asked
from app.events import sent_in
from app.history.journal import JournalEntry, page_of
from app.history.outcomes import of_those, outcomes_of
from app.http_jobs.executions import names_of
from app.http_jobs.messages import with_message
from app.service import Service
from app.superjson import plain
from app.turns.answer import RunBody, TickBody
from app.vault.connections import credentials_of, open_auth
from app.vault.secrets import known_values
from domain import commands, named_event
from domain.builtin import HTTP_TASK
from domain.commands import HandOut, TurnAnswer
from domain.environment import Environment
from domain.errors import KeyMissing, LedgerCorrupt, LedgerError, NotFound, SealBroken, Unavailable
from domain.events import JSON_TYPE, NOTHING, EventRef, Recorded, RunTriggered
from domain.ports import Ledger

log = structlog.get_logger(__name__)


async def runs_of(answer: TurnAnswer, environment: Environment, service: Service) -> list[RunBody]:
    """The runs of an answer. One of which something is lost or cannot be opened is given up, and not among them."""
    known = service.triggered.known(hand_out.run for hand_out in answer.runs)
    # Once, for what they were triggered with and for their journals.
    asked = [each.run for each in answer.runs if each.journal or each.run not in known]
    histories = await service.read(service.ledger.read_streams, asked) if asked else {}
    known |= {run: as_asked(history) for run, history in histories.items() if run not in known}
    described = describe(environment)
    runs: list[RunBody] = []
    for hand_out in answer.runs:
        try:
            recorded, history = known[hand_out.run], histories[hand_out.run] if hand_out.journal else ()
            runs.append(await _as_handed(hand_out, recorded, history, described, service))
        except (NotFound, KeyMissing) as error:
            # A connection was removed just now, or a key is not here: the run may start when they are back.
            log.warning("a run cannot be handed out", run=hand_out.run, error=str(error))
            await _return(hand_out, environment.id, service)
        except (LedgerCorrupt, SealBroken) as error:
            await give_up(hand_out.run, str(error), environment.id, service)
        except (Unavailable, LedgerError):
            raise
        except Exception as error:
            # The others must not wait for what only this one brings about.
            log.exception("a run cannot be handed out", run=hand_out.run)
            await give_up(hand_out.run, f"It cannot be handed out: {type(error).__name__}.", environment.id, service)
    return runs


async def _as_handed(
    hand_out: HandOut,
    recorded: Recorded,
    history: Sequence[Recorded],
    environment: dict[str, str],
    service: Service,
) -> RunBody:
    """One run with all that belongs to it. Raises NotFound, KeyMissing, LedgerCorrupt, SealBroken."""
    assert isinstance(recorded.event, RunTriggered), "a run begins with its trigger"
    payload, of = recorded.event.payload, environment["id"]
    if recorded.event.payload_blob:
        payload = await service.value(payload, recorded.event.payload_blob)
    if recorded.event.about:
        payload = await service.read(with_message, service.ledger, recorded.event, payload)
    journal = await service.read(_told_journal, service.ledger, history) if history else []
    secrets = _secrets_of(hand_out, of, service) if hand_out.auth or hand_out.connections else None
    event, job = recorded.event.event, recorded.event.job
    given = await _input_of(event, of, service) if event and job else NOTHING
    body = _run_body(hand_out, recorded, recorded.event, payload, environment)
    if event or job:
        body = replace(body, job=job, event=event, input=given)
    if journal:
        body = replace(body, journal_size=hand_out.journal, journal=journal)
    return replace(body, auth=secrets[0], connections=secrets[1]) if secrets else body


def with_secrets(runs: list[RunBody], environment: str, service: Service) -> list[RunBody]:
    """The same, and with each run of the HTTP task the secrets that it uses, for whoever executes it elsewhere."""
    return [
        replace(run, secrets=known_values(service, environment, names_of(run.payload)))
        if run.task == HTTP_TASK
        else run
        for run in runs
    ]


def _run_body(
    hand_out: HandOut, recorded: Recorded, event: RunTriggered, payload: Raw, environment: dict[str, str]
) -> RunBody:
    kind = event.payload_type
    if kind != JSON_TYPE:
        payload, kind = plain(payload, kind)
    # By place, in the order of the fields: this is done for every run, and so many names take five times as long.
    return RunBody(
        hand_out.run,
        hand_out.token,
        hand_out.task,
        hand_out.attempt,
        kind,
        hand_out.queue,
        recorded.occurred_at,
        environment,
        event.is_test,
        hand_out.tags,
        hand_out.max_attempts,
        payload,
        hand_out.max_duration_ms,
        event.idempotency_key,
        event.batch,
        event.traceparent,
        "auth" if hand_out.is_for_auth else "attempt",
        NOTHING,
        {},
        hand_out.machine,
        event.priority,
        event.concurrency_key,
        hand_out.metadata,
        event.parent,
        event.root,
        event.depth,
        event.source,
        event.replay_of,
        None if event.schedule is None else TickBody(event.schedule.schedule, event.schedule.at),
    )


def _told_journal(ledger: Ledger, history: Sequence[Recorded]) -> list[JournalEntry]:
    """The journal with how that came out which the code waited for (this blocks)."""
    entries = page_of(ledger, history)
    told = outcomes_of(ledger, [name for each in entries if each.completed for name in each.completed.done])
    return [
        replace(each, completed=replace(each.completed, results=of_those(each.completed.done, told)))
        if each.completed
        else each
        for each in entries
    ]


async def _input_of(event: EventRef, environment: str, service: Service) -> Raw:
    history = await service.history(named_event.stream_of(environment, event.id))
    if not history:
        raise LedgerCorrupt(f"Event {event.id} is no longer there.")
    sent = sent_in(history)
    return await service.value(sent.payload, sent.payload_blob)


def _secrets_of(hand_out: HandOut, environment: str, service: Service) -> tuple[Raw, dict[str, Raw]]:
    auth = open_auth(service, environment, hand_out.run, hand_out.auth) if hand_out.auth else NOTHING
    return auth, credentials_of(service, environment, hand_out.connections)


async def _return(hand_out: HandOut, environment: str, service: Service) -> None:
    origin: dict[str, Any] = {"actor": "engine", "cause": "hand-out", "at": service.clock.now().wall}
    command = commands.ReturnRun(environment=environment, run=hand_out.run, token=hand_out.token, **origin)
    await service.loop.submit(command)


async def give_up(run: str, message: str, environment: str, service: Service) -> None:
    """End a run of which something is lost; the message says what."""
    origin: dict[str, Any] = {"actor": "engine", "cause": "hand-out", "at": service.clock.now().wall}
    await service.loop.submit(commands.GiveUpRun(environment=environment, run=run, message=message, **origin))


def describe(environment: Environment) -> dict[str, str]:
    """An environment as workers and clients see it."""
    return {
        "id": environment.id,
        "slug": environment.slug,
        "type": environment.type,
        "project": environment.project,
        "organization": environment.organization,
    }
