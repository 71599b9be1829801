"""The one place that picks a database: a SQLite file, or a schema of a PostgreSQL database."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from adapters.folders import make_folders
from adapters.keyfile import KeyFile
from adapters.postgres.lease import PostgresLease
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from adapters.postgres.read_models import PostgresReadModels
from adapters.postgres.reading import reading as reading_schema
from adapters.secrets import Vault
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from adapters.sqlite.reading import reading as reading_files
from app.settings import Settings, WrongSetting
from domain.ports import CopyableLedger, Lease
from projections.ports import Opener, ReadModels


class Database(NamedTuple):
    """What all nodes work on."""

    ledger: CopyableLedger
    read_models: ReadModels

    def close(self) -> None:
        """Let go of both."""
        self.read_models.close()
        self.ledger.close()


def open_database(settings: Settings) -> Database:
    """The database for a node, made or migrated where it has to be.

    Raises LedgerUnavailable, also when it is a file that another engine has opened.
    """
    if settings.is_postgres:
        url, schema = settings.database_url, settings.database_schema
        migrate(url, schema)
        return Database(PostgresLedger(url, schema), PostgresReadModels(url, schema))
    make_folders(settings.database_path.parent)
    return Database(SqliteLedger(settings.database_path), SqliteReadModels(settings.views_path))


def open_lease(settings: Settings, address: str) -> Lease | None:
    """The lease for a node that others reach at `address`; None for a file, which only one engine can open."""
    if not settings.is_postgres:
        return None
    return PostgresLease(
        settings.database_url,
        settings.database_schema,
        holder=f"{address} {secrets.token_hex(8)}",
        address=address,
        lease_ms=settings.writer_lease_ms,
    )


def open_vault(settings: Settings) -> Vault:
    """What secrets are sealed with: the keys of the settings, and for a file the key that is kept beside it."""
    if settings.is_postgres:
        return Vault(settings.encryption_keys, os.urandom)
    file = KeyFile(settings.key_path, os.urandom)
    return Vault(settings.encryption_keys, os.urandom, kept=file.find, keep=file.make)


@contextmanager
def beside_an_engine(settings: Settings) -> Generator[Database]:
    """The database for a command that appends nothing, with or without an engine that runs on it.

    Raises WrongSetting when there is none; it is neither made nor migrated.
    """
    with opener_of(settings)() as (ledger, read_models):
        yield Database(ledger, read_models)


def opener_of(settings: Settings) -> Opener:
    """What opens the database as `beside_an_engine` does. Raises WrongSetting when there is none."""
    if settings.is_postgres:
        if migrate(settings.database_url, settings.database_schema, dry_run=True):
            raise WrongSetting(
                f"There is no ledger of this version in schema {settings.database_schema} of {settings.database},"
                " which RUNFOLD_DATABASE_URL names: start a node, or run `runfold database migrate`."
            )
        return partial(reading_schema, settings.database_url, settings.database_schema)
    if not settings.database_path.is_file():
        raise WrongSetting(f"There is no ledger {settings.database_path}, which RUNFOLD_DATABASE_URL names.")
    return partial(reading_files, settings.database_path, settings.views_path)
