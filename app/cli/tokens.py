"""`runfold tokens`: what runs wait for until somebody completes it."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from app.cli import api
from app.cli.filters import check_durations
from app.cli.making import json_of
from app.cli.output import AsJson, moment, print_fields, print_json, print_table, print_text
from runfold import TokenState, tokens
from runfold.triggering import NOTHING

PAGE_MAX = 100

cli = typer.Typer(no_args_is_help=True)

TokenId = Annotated[str, typer.Argument(metavar="TOKEN", help="The id of a token.")]


@cli.callback()
def connect() -> None:
    """Look at waitpoint tokens and complete them, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("list")
def list_tokens(
    status: Annotated[
        list[str] | None, typer.Option(help="Only of this status: WAITING, COMPLETED or TIMED_OUT; may be repeated.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only with this tag; may be repeated.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="Only those made with this key.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List tokens, newest first."""
    found = tokens.list_tokens(status=status, tag=tag, idempotency_key=idempotency_key, limit=min(limit, PAGE_MAX))
    listed = [*islice(found, limit)]
    if as_json:
        print_json([_plain(token) for token in listed])
    elif not listed:
        print_text("No tokens.")
    else:
        columns = ("token", "status", "created", "times out", "completed", "tags")
        print_table(columns, [_row(token) for token in listed])


@cli.command()
def show(
    token: TokenId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show a token with what completed it."""
    _tell(tokens.retrieve_token(token), as_json=as_json)


@cli.command()
def create(
    timeout: Annotated[str | None, typer.Option(help="How long it waits, such as 1h30m; without it for ever.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag to find it by; may be repeated.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="Make no second token with this key.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make a token; prints it with the URL that completes it."""
    check_durations(timeout=timeout)
    made = tokens.create_token(timeout=timeout, tags=tag, idempotency_key=idempotency_key)
    _tell(tokens.retrieve_token(made), as_json=as_json)


@cli.command()
def complete(
    token: TokenId,
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="JSON for those who wait.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Complete a token; one that is over stays as it is."""
    tokens.complete_token(token, NOTHING if data is None else json_of(data, "DATA"))
    _tell(tokens.retrieve_token(token), as_json=as_json)


def _tell(token: TokenState, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(token))
    else:
        print_fields(_fields(token))


def _plain(token: TokenState) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(token).items() if value is not None}


def _row(token: TokenState) -> tuple[str, ...]:
    times = (moment(token.created_at), moment(token.timeout_at), moment(token.completed_at))
    return (token.id, token.status, *times, " ".join(token.tags))


def _fields(token: TokenState) -> Iterable[tuple[str, str]]:
    yield "token", token.id
    yield "status", token.status
    yield "url", token.url
    yield "tags", " ".join(token.tags)
    yield "created", moment(token.created_at)
    yield "times out", moment(token.timeout_at)
    yield "completed", moment(token.completed_at)
    yield "idempotency key", token.idempotency_key or ""
    yield "output", "" if token.output is None else msgspec.json.encode(token.output).decode()
    yield "error", token.error.message if token.error else ""
