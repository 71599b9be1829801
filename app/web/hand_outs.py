"""Runs as workers are given them, with all that they need to know."""

from collections.abc import Sequence
from typing import Any

import structlog
from msgspec import Raw, Struct
from msgspec.structs import replace

from app.engine.triggered import as_asked
from app.events import sent_in
from app.history.journal import JournalEntry, page_of
from app.http_jobs.executions import names_of
from app.http_jobs.messages import with_message
from app.service import Service
from app.superjson import plain
from app.vault.connections import credentials_of, open_auth
from app.vault.secrets import known_values
from app.web.caller import Caller
from app.web.outcomes import of_those, outcomes_of
from domain import commands, named_event
from domain.builtin import HTTP_TASK
from domain.commands import HandOut, TurnAnswer
from domain.environment import Environment
from domain.errors import KeyMissing, LedgerCorrupt, LedgerError, NotFound, SealBroken, Unavailable
from domain.events import API, JSON_TYPE, NOTHING, EventRef, JobRef, Recorded, RunTriggered
from domain.ports import Ledger

log = structlog.get_logger(__name__)


class TickBody(Struct):
    """For which tick of which schedule a run is: its moment in milliseconds."""

    id: str
    timestamp: int


class RunBody(Struct, rename="camel", omit_defaults=True):
    """A run as a worker is given it."""

    id: str
    token: int
    task: str
    attempt: int
    payload_type: str
    queue: str
    created_at: int
    environment: dict[str, str]
    is_test: bool
    tags: tuple[str, ...]
    max_attempts: int
    payload: Raw = NOTHING
    max_duration: int | None = None
    idempotency_key: str | None = None
    batch_id: str | None = None
    traceparent: str | None = None
    kind: str = "attempt"
    """Or auth: the worker is to ask the task's auth resolver."""
    auth: Raw = NOTHING
    connections: dict[str, Raw] = {}
    machine: str | None = None
    priority: int = 0
    concurrency_key: str | None = None
    metadata: Raw = NOTHING
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    source: str = API
    replay_of: str | None = None
    schedule: TickBody | None = None
    journal_size: int = 0
    """How many entries the run's journal has; those that are not here can be asked for."""
    journal: list[JournalEntry] = []
    job: JobRef | None = None
    """Whose execution it is; only Runfold itself executes those."""
    event: EventRef | None = None
    """The named event that started it: its `timestamp` is in milliseconds."""
    input: Raw = NOTHING
    """The payload of that event, for an execution."""
    secrets: dict[str, str] = {}
    """The values of the secrets to which the request of an execution refers, for an executor of another process."""


async def runs_of(answer: TurnAnswer, caller: Caller, service: Service) -> list[RunBody]:
    """The runs of an answer. One of which something is lost or cannot be opened is given up, and not among them."""
    known = service.triggered.known(hand_out.run for hand_out in answer.runs)
    # Once, for what they were triggered with and for their journals.
    asked = [each.run for each in answer.runs if each.journal or each.run not in known]
    histories = await service.read(service.ledger.read_streams, asked) if asked else {}
    known |= {run: as_asked(history) for run, history in histories.items() if run not in known}
    environment = describe(caller.environment)
    runs: list[RunBody] = []
    for hand_out in answer.runs:
        try:
            recorded, history = known[hand_out.run], histories[hand_out.run] if hand_out.journal else ()
            runs.append(await _as_handed(hand_out, recorded, history, environment, service))
        except (NotFound, KeyMissing) as error:
            # A connection was removed just now, or a key is not here: the run may start when they are back.
            log.warning("a run cannot be handed out", run=hand_out.run, error=str(error))
            await _return(hand_out, caller, service)
        except (LedgerCorrupt, SealBroken) as error:
            await give_up(hand_out.run, str(error), caller, service)
        except (Unavailable, LedgerError):
            raise
        except Exception as error:
            # The others must not wait for what only this one brings about.
            log.exception("a run cannot be handed out", run=hand_out.run)
            await give_up(hand_out.run, f"It cannot be handed out: {type(error).__name__}.", caller, service)
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


async def _return(hand_out: HandOut, caller: Caller, service: Service) -> None:
    origin: dict[str, Any] = {"actor": "engine", "cause": "hand-out", "at": service.clock.now().wall}
    environment = caller.environment.id
    command = commands.ReturnRun(environment=environment, run=hand_out.run, token=hand_out.token, **origin)
    await service.loop.submit(command)


async def give_up(run: str, message: str, caller: Caller, service: Service) -> None:
    """End a run of which something is lost; the message says what."""
    origin: dict[str, Any] = {"actor": "engine", "cause": "hand-out", "at": service.clock.now().wall}
    await service.loop.submit(commands.GiveUpRun(environment=caller.environment.id, run=run, message=message, **origin))


def describe(environment: Environment) -> dict[str, str]:
    """An environment as workers and clients see it."""
    return {
        "id": environment.id,
        "slug": environment.slug,
        "type": environment.type,
        "project": environment.project,
        "organization": environment.organization,
    }
