"""`runfold runs trigger` and `runfold runs replay`, which make a run each."""

from typing import Annotated, Any, cast

import msgspec
import typer

import runfold
from app.cli import views
from app.cli.filters import check_durations
from app.cli.output import AsJson, print_json, print_text
from runfold.machines import Machine, valid_machine
from runfold.triggering import NOTHING

WAIT_SECONDS = 0.2

TagsOfRun = Annotated[list[str] | None, typer.Option("--tag", help="A tag of the run; may be repeated.")]
Delay = Annotated[str | None, typer.Option(help="Start no earlier than after this time, such as 30s or 1h.")]
Ttl = Annotated[str | None, typer.Option(help="Expire the run if it has not started by then.")]
InQueue = Annotated[str | None, typer.Option("--queue", help="Another queue than that of the task.")]
IdempotencyKey = Annotated[str | None, typer.Option(help="The same key again names the same run.")]
LockedTo = Annotated[str | None, typer.Option("--version", help="Run with this version of the code and no other.")]
OnMachine = Annotated[str | None, typer.Option("--machine", help="Run on a worker for this machine.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end; fail unless it is COMPLETED.")]


def trigger(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The id of a task.")],
    payload: Annotated[str | None, typer.Argument(metavar="PAYLOAD", help="JSON; left out for tasks without.")] = None,
    tag: TagsOfRun = None,
    delay: Delay = None,
    ttl: Ttl = None,
    queue: InQueue = None,
    idempotency_key: IdempotencyKey = None,
    version: LockedTo = None,
    machine: OnMachine = None,
    wait: Wait = False,  # noqa: FBT002 (a switch of the command line)
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make a run of a task."""
    check_durations(delay=delay, ttl=ttl)
    handle = runfold.tasks.trigger(
        task,
        NOTHING if payload is None else json_of(payload, "PAYLOAD"),
        tags=tag,
        delay=delay,
        ttl=ttl,
        queue=queue,
        idempotency_key=idempotency_key,
        version=version,
        machine=_machine(machine),
    )
    _tell(handle, {"id": handle.id, "isCached": handle.is_cached}, wait=wait, as_json=as_json)


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.")],
    payload: Annotated[str | None, typer.Option(help="JSON, instead of the payload of the run.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Instead of the tags of the run; may be repeated.")] = None,
    delay: Delay = None,
    ttl: Ttl = None,
    queue: InQueue = None,
    idempotency_key: IdempotencyKey = None,
    version: LockedTo = None,
    machine: OnMachine = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, help="How often it is tried.")] = None,
    wait: Wait = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make a new run with the payload and tags of this one, or with others; prints its id."""
    check_durations(delay=delay, ttl=ttl)
    handle = runfold.runs.replay(
        run,
        NOTHING if payload is None else json_of(payload, "--payload"),
        tags=tag,
        delay=delay,
        ttl=ttl,
        queue=queue,
        idempotency_key=idempotency_key,
        version=version,
        machine=_machine(machine),
        max_attempts=max_attempts,
    )
    _tell(handle, {"id": handle.id}, wait=wait, as_json=as_json)


def _tell(handle: runfold.RunHandle[Any, Any], made: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    if wait:
        run = runfold.runs.poll(handle, interval=WAIT_SECONDS)
        views.show(run, as_json=as_json)
        raise typer.Exit(0 if run.is_success else 1)
    if as_json:
        print_json(made)
    else:
        print_text(handle.id)


def json_of(text: str, what: str) -> Any:
    """JSON from the command line as it is to be sent."""
    try:
        return msgspec.Raw(msgspec.json.format(text.encode(), indent=-1))
    except ValueError as error:
        raise typer.BadParameter(f"{what} is no JSON ({error}); a text needs its quotes: '\"text\"'.") from error


def _machine(name: str | None) -> Machine | None:
    """The SDK says which ones there are, and refuses others."""
    try:
        return None if name is None else cast("Machine", valid_machine(name))
    except ValueError as error:
        raise typer.BadParameter(f"--machine: {error}") from error
