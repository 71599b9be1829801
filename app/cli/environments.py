"""`runfold environments`: the tenants of an engine."""

from typing import Annotated

import typer

from app.cli import api
from app.cli.output import AsJson, print_fields, print_json, print_table

cli = typer.Typer(no_args_is_help=True)


@cli.callback()
def connect() -> None:
    """Make environments and look at them, with RUNFOLD_ADMIN_KEY, on the engine that RUNFOLD_API_URL names."""
    api.connect(as_keeper=True)


@cli.command()
def create(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Its name: small letters, digits and hyphens.")],
    kind: Annotated[str, typer.Option("--type", help="DEVELOPMENT, STAGING, PRODUCTION or PREVIEW.")] = "PRODUCTION",
    project: Annotated[str, typer.Option(help="The project that tasks are told.")] = "default",
    organization: Annotated[str, typer.Option(help="The organization that tasks are told.")] = "default",
    concurrency_limit: Annotated[int | None, typer.Option(min=0, help="Attempts at once in all its queues.")] = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Make an environment; shows its first secret key this once."""
    body = {"slug": slug, "type": kind, "project": project, "organization": organization}
    limit = {} if concurrency_limit is None else {"concurrencyLimit": concurrency_limit}
    made = api.call("POST", "environments", body=body | limit)
    if as_json:
        print_json(made)
    else:
        print_fields([(name, made[name]) for name in ("slug", "type", "id", "key")])


@cli.command("list")
def list_environments(
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List all environments, or with a secret key the one that it opens."""
    found = api.call("GET", "environments")["data"]
    if as_json:
        print_json(found)
    else:
        names = ("slug", "type", "project", "organization", "id")
        print_table(names, [tuple(each[name] for name in names) for each in found])
