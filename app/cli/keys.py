"""`runfold keys`: the secret keys of an environment."""

from typing import Annotated

import typer

from app.cli import api
from app.cli.output import AsJson, print_json, print_table, print_text

cli = typer.Typer(no_args_is_help=True)
OfEnvironment = Annotated[
    str | None, typer.Option("--environment", help="Its slug; needed only with RUNFOLD_ADMIN_KEY and several of them.")
]


@cli.callback()
def connect() -> None:
    """Make secret keys and take them back, with RUNFOLD_ADMIN_KEY, or with RUNFOLD_SECRET_KEY for its environment."""
    api.connect(as_keeper=True)


@cli.command()
def create(
    environment: OfEnvironment = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Make another secret key; it is shown this once."""
    made = api.call("POST", "environments", _slug(environment), "keys")
    if as_json:
        print_json(made)
    else:
        print_text(made["key"])


@cli.command("list")
def list_keys(
    environment: OfEnvironment = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the keys, by what is known of them."""
    found = api.call("GET", "environments", _slug(environment), "keys")["data"]
    if as_json:
        print_json(found)
    else:
        rows = [(each["id"], each["hint"], api.date_of(each, "createdAt"), each["createdBy"]) for each in found]
        print_table(("id", "key", "created (UTC)", "by"), rows)


@cli.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The id or the hint that `runfold keys list` shows.")],
    environment: OfEnvironment = None,
) -> None:
    """Take a key back: from now on it opens nothing."""
    revoked = api.call("DELETE", "environments", _slug(environment), "keys", key)
    print_text(f"{revoked['hint']} is revoked")


def _slug(environment: str | None) -> str:
    if environment is not None:
        return environment
    slugs = [str(each["slug"]) for each in api.call("GET", "environments")["data"]]
    if len(slugs) != 1:
        raise typer.BadParameter(f"--environment says which one: {', '.join(slugs) or 'there is none yet'}.")
    return slugs[0]
