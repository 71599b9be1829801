"""`runfold database`: the schema of a PostgreSQL database, and the files and tables of any."""

from typing import Annotated

import typer

from adapters.postgres.migrate import migrate as apply
from app import settings
from app.cli.output import AsJson, print_json, print_text
from app.engine.backends import beside_an_engine
from app.settings import WrongSetting

cli = typer.Typer(
    no_args_is_help=True, help="Bring the schema of a PostgreSQL database up to this version; write a database anew."
)


@cli.command()
def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the SQL that is missing; change nothing.")] = False,  # noqa: FBT002 (a switch of the command line)
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Apply the migrations that are missing, all or none; `runfold serve` does so by itself when it starts."""
    found = settings.load()
    if not found.is_postgres:
        raise WrongSetting("The setting RUNFOLD_DATABASE_URL names a SQLite file, which needs no migrations.")
    missing = apply(found.database_url, found.database_schema, dry_run=dry_run)
    if as_json:
        print_json({"applied": not dry_run, "migrations": [each.name for each in missing]})
        return
    for each in missing:
        print_text(f"-- {each.name}\n{each.statements}" if dry_run else f"Applied {each.name}.")
    if not missing:
        print_text("The schema is up to date.")


@cli.command()
def scrub() -> None:
    """Write the database anew, so that nothing of what was erased stays in unused parts of it; engines wait for it."""
    with beside_an_engine(settings.load()) as database:
        database.ledger.scrub(is_whole=True)
        database.read_models.scrub(is_whole=True)
    print_text("Nothing of what was erased is left in the files and tables of the database.")
